"""Weighted sums over the bins whose digits do not depend on how many frames are summed together."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from specconv.engines.precision import matmul

# Frames of one product. A BLAS takes other paths for other numbers of columns and rounds otherwise on each, so a clip's
# digits would depend on its neighbours in a batch. Of products of always 64 columns (64 bins, 1,025 points) it makes
# 0.53 ms for 306 frames, where one of 306 takes 0.48.
COLUMNS = 64
ROWS = 16  # bins; of fewer, it takes other paths for a single product than for several


def product(weights: Tensor, values: Tensor) -> Tensor:
    """``weights (n_out, n_in)`` times ``values (n_clips, n_in, n_frames)``: ``(n_clips, n_out, n_frames)``."""
    recorded = torch.is_grad_enabled() and (values.requires_grad or weights.requires_grad)
    if values.device.type != "cpu" or recorded or torch.compiler.is_compiling():
        # One product of all frames: where the bins are innermost, as an FFT leaves them, nothing is turned for it.
        rows = values.transpose(1, 2).reshape(-1, len(values[0]))
        return matmul(rows, weights.T).view(len(values), -1, len(weights)).transpose(1, 2)
    (clips, n_in, frames), n_out = values.shape, len(weights)
    weights = F.pad(weights, (0, 0, 0, -n_out % ROWS)) if n_out % ROWS else weights
    parts = -(-clips * frames // COLUMNS)
    columns = F.pad(values.transpose(0, 1).reshape(n_in, clips * frames), (0, parts * COLUMNS - clips * frames))
    blocks = columns.view(n_in, parts, COLUMNS).transpose(0, 1)
    sums = matmul(weights.expand(parts, -1, -1), blocks).transpose(0, 1).reshape(len(weights), parts * COLUMNS)
    return sums[:n_out, : clips * frames].view(n_out, clips, frames).transpose(0, 1)
