"""Bins of the short-time Fourier transform: their frequencies and their kernels.

J. B. Allen and L. R. Rabiner, "A unified approach to short-time Fourier analysis and synthesis", 1977.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specconv.errors import Fault, ParameterError
from specconv.kernels import windows
from specconv.kernels.band import band_faults
from specconv.kernels.bank import KernelBank
from specconv.kernels.windows import WindowSpec

Spacing: TypeAlias = Literal["linear", "log", "log2"]


def uniform_frequencies(sample_rate: float, n_fft: int) -> NDArray[np.float64]:
    """Frequencies of a real FFT's bins, ``(n_fft // 2 + 1,)``, Hz."""
    frequencies: NDArray[np.float64] = np.arange(n_fft // 2 + 1, dtype=np.float64) * sample_rate / n_fft
    return frequencies


def spaced_frequencies(
    sample_rate: float,
    n_fft: int,
    n_bins: int | None,
    f_min: float,
    f_max: float,
    spacing: Spacing,
    *,
    parity: Literal["nnaudio"] | None = None,
) -> NDArray[np.float64]:
    """Frequencies evenly spaced in Hz ("linear") or in octaves ("log", "log2"), ``(n_bins,)``, Hz.

    n_bins: n_fft // 2 + 1 if None. f_min, f_max: Hz, both included, so that 0 .. sample_rate / 2 in linear
    spacing are the FFT's own bins. nnAudio steps by (f_max - f_min) / n_bins instead and stops one step short
    of f_max: parity "nnaudio". Its "log" and "log2" write one formula in two ways, and are one here.
    Raises ParameterError unless 0 <= f_min < f_max <= sample_rate / 2, and 0 < f_min in octaves.
    """
    n_bins = n_fft // 2 + 1 if n_bins is None else n_bins
    if faults := list(_faults(sample_rate, n_bins, f_min, f_max, spacing)):
        raise ParameterError(faults)
    steps = np.arange(n_bins) / (n_bins if parity == "nnaudio" else max(n_bins - 1, 1))
    if spacing == "linear":
        return f_min + (f_max - f_min) * steps
    frequencies: NDArray[np.float64] = f_min * (f_max / f_min) ** steps
    return np.minimum(frequencies, f_max)  # rounding may not carry the last bin past Nyquist


def fourier_bank(
    sample_rate: float,
    n_fft: int,
    frequencies: ArrayLike,
    *,
    win_length: int | None = None,
    window: WindowSpec = "hann",
) -> KernelBank:
    """Kernels of a short-time Fourier transform at these frequencies (Hz).

    The window of ``win_length`` samples (n_fft if omitted) lies in the middle of the frame of n_fft, which is
    centred on time 0. Phases count from the frame's first sample, as every STFT's do; for uniform frequencies
    the coefficients are the FFT's of the windowed frame. Raises ParameterError.
    """
    win_length = n_fft if win_length is None else win_length
    if not 1 <= win_length <= n_fft:
        raise ParameterError(
            [Fault("win_length", f"is {win_length}; must be from 1 to {n_fft} samples, n_fft: lower it")]
        )
    windows.window(window, win_length)  # an unknown window is a fault of the request: say so now
    hertz = np.atleast_1d(np.asarray(frequencies, dtype=np.float64))
    first = -(n_fft // 2)
    cycles = hertz / sample_rate * first
    return KernelBank(
        sample_rate=sample_rate,
        center_frequencies=hertz,
        lengths=np.full(len(hertz), win_length),
        starts=np.full(len(hertz), first + (n_fft - win_length) // 2),
        gains=np.exp(-2j * np.pi * (cycles - np.rint(cycles))),
        window=window,
    )


def _faults(sample_rate: float, n_bins: int, f_min: float, f_max: float, spacing: str) -> Iterator[Fault]:
    if n_bins < 1:
        yield Fault("n_bins", f"is {n_bins}; must be at least 1")
    yield from band_faults(sample_rate, f_min, f_max, in_octaves=spacing != "linear")
