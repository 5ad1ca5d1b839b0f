"""What an engine hands on: the complex coefficients of a block of frames, squared and rooted at most once.

A clip's block is ``(n_clips, n_bins, n_frames)`` everywhere above the engines.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
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

    def put_magnitude(self, out: Tensor) -> None:
        """Magnitudes written where they belong; no gradient."""


class DenseCoefficients:
    """Coefficients given as one complex tensor ``(n_clips, n_bins, n_frames)``, in any order in memory.

    Magnitudes keep that order. Powers are laid out with frames innermost and bins outermost, for a sparse projection
    over the bins wants them so, and turning them costs it more than the addition here.
    """

    # Kept by hand: before Python 3.12 cached_property takes a lock, which torch.compile cannot trace.

    def __init__(self, values: Tensor) -> None:
        self.complex = values
        self._power: Tensor | None = None
        self._magnitude: Tensor | None = None

    @property
    def power(self) -> Tensor:
        if self._power is None:
            self._power = self._squared()
        return self._power

    @property
    def magnitude(self) -> Tensor:
        if self._magnitude is None:
            self._magnitude = self._rooted()
        return self._magnitude

    def put_magnitude(self, out: Tensor) -> None:
        if self._magnitude is None and _is_numpys(self.complex):
            np.abs(self.complex.numpy(), out=out.numpy())
            self._magnitude = out
        else:
            out.copy_(self.magnitude)

    def _squared(self) -> Tensor:
        squares = self._squares
        if squares.requires_grad or torch.compiler.is_compiling():  # neither knows of an output given
            return squares[..., 0] + squares[..., 1]
        clips, bins, frames = self.complex.shape
        power = squares.new_empty(bins, clips, frames).transpose(0, 1)
        return torch.add(squares[..., 0], squares[..., 1], out=power)

    def _rooted(self) -> Tensor:
        if self.complex.requires_grad or torch.compiler.is_compiling():
            return self.complex.abs()  # the root's slope at silence is infinite; the subgradient here is 0
        if _is_numpys(self.complex):
            return torch.from_numpy(np.abs(self.complex.numpy()))
        squares = self._squares
        return (squares[..., 0] + squares[..., 1]).sqrt_()

    @property
    def _squares(self) -> Tensor:
        """Of real and imaginary parts; abs() of a complex tensor guards against overflow with a slow hypot."""
        parts = torch.view_as_real(self.complex)
        return parts * parts


def _is_numpys(values: Tensor) -> bool:
    """Whether NumPy takes the magnitudes.

    It is as exact as torch's abs and 5 times faster: 3.5 ms to its 18 for 10,048 spectra of 1,025 bins, and 7 for a sum
    of squares and its root (two cores of an AMD EPYC, numpy on one of them).
    """
    return values.device.type == "cpu" and not values.requires_grad and not torch.compiler.is_compiling()
