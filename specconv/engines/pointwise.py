"""Functions of single values whose digits do not depend on where in a tensor a value stands.

torch computes whole vectors of values by one formula and the few that are left at the end by another, which rounds
otherwise. Here every value is in a whole vector. (Sums, products, roots and logarithms are the same by both.)
"""

from __future__ import annotations

import torch
from torch import Tensor

from specconv.engines.threads import is_plain

VECTORS = 64  # a multiple of the values that torch computes at once, on any processor


def power(values: Tensor, exponent: float) -> Tensor:
    """``max(values, 0) ** exponent``, with the same order in memory."""
    if not is_plain(values):
        return values.clamp(min=0).pow(exponent)
    if values.ndim > 1 and values.stride(-2) < values.stride(-1):
        return power(values.mT, exponent).mT
    flat, own = _whole_vectors(values)
    torch.clamp(values, min=0, out=own)
    flat.pow_(exponent)
    return own


def angle(values: Tensor) -> Tensor:
    """Of complex values, in radians, -π … π, with the same order in memory."""
    if not is_plain(values):
        return values.angle()
    if values.ndim > 1 and values.stride(-2) < values.stride(-1):
        return angle(values.mT).mT
    flat, own = _whole_vectors(values)
    own.copy_(values)
    return flat.angle()[: own.numel()].view(own.shape)


def _whole_vectors(like: Tensor) -> tuple[Tensor, Tensor]:
    """Memory for whole vectors, and the part of it that has the shape of ``like``."""
    n = like.numel()
    flat = like.new_empty(n + -n % VECTORS)
    flat[n:] = 1
    return flat, flat[:n].view(like.shape)
