"""What an engine hands on: the complex coefficients of a block of frames, squared and rooted at most once.

A clip's block is ``(n_clips, n_bins, n_frames)`` everywhere above the engines.
"""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor


class Coefficients(Protocol):
    """A block of complex coefficients, each form ``(n_clips, n_bins, n_frames)``."""

    @property
    def complex(self) -> Tensor: ...

    @property
    def power(self) -> Tensor: ...

    @property
    def magnitude(self) -> Tensor: ...


class DenseCoefficients:
    """Coefficients given as one complex tensor ``(n_clips, n_bins, n_frames)``, in any order in memory.

    Magnitudes keep that order. Powers are laid out with frames innermost and bins outermost, for a sparse projection
    over the bins wants them so, and turning them costs it more than the addition here.
    """

    def __init__(self, values: Tensor) -> None:
        self.complex = values

    @cached_property
    def power(self) -> Tensor:
        squares = self._squares
        if squares.requires_grad:
            return squares[..., 0] + squares[..., 1]
        clips, bins, frames = self.complex.shape
        power = squares.new_empty(bins, clips, frames).transpose(0, 1)
        return torch.add(squares[..., 0], squares[..., 1], out=power)

    @cached_property
    def magnitude(self) -> Tensor:
        if self.complex.requires_grad:
            return self.complex.abs()  # the root's slope at silence is infinite; the subgradient here is 0
        squares = self._squares
        return (squares[..., 0] + squares[..., 1]).sqrt_()

    @property
    def _squares(self) -> Tensor:
        """Of real and imaginary parts; abs() of a complex tensor guards against overflow with a slow hypot."""
        parts = torch.view_as_real(self.complex)
        return parts * parts
