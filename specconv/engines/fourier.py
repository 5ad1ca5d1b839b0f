"""Fourier transforms whose digits do not depend on how many of them are computed together.

For a lone transform the library (MKL) takes another path than for each of several, and rounds otherwise.
"""

from __future__ import annotations

import torch
from torch import Tensor

from specconv.engines.threads import is_plain


def rfft(values: Tensor) -> Tensor:
    """`torch.fft.rfft` over the last axis."""
    if _is_alone(values):
        values = values.expand(2, *values.shape)
        return rfft(values)[0]
    spectra: Tensor = torch.fft.rfft(values)
    return spectra


def irfft(spectra: Tensor, n: int, norm: str | None = None) -> Tensor:
    """`torch.fft.irfft` over the last axis."""
    if _is_alone(spectra):
        return irfft(spectra.expand(2, *spectra.shape), n, norm)[0]
    values: Tensor = torch.fft.irfft(spectra, n, norm=norm)
    return values


def _is_alone(values: Tensor) -> bool:
    return is_plain(values) and values.numel() == values.shape[-1]
