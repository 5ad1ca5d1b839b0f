"""From spectrum and cepstrum to one logarithmic frequency axis: the last step of the CFP representation.

L. Su and Y.-H. Yang, "Combining spectral and temporal representations for multipitch estimation of polyphonic
music", 2015. A quefrency of j samples is a frequency of sample_rate / j.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from specconv.errors import Fault, ParameterError
from specconv.kernels.band import band_faults


@dataclass(frozen=True, eq=False)
class CfpWeights:
    """Triangles in Hz over the bins of a spectrum and of a cepstrum, both cut to what the triangles need.

    center_frequencies: ``(n_bins,)``, Hz, ``f_min · 2^(i / bins_per_octave)`` below f_max.
    frequency: ``(n_bins, n_frequencies)``; bin j of the spectrum lies at j · sample_rate / n_fft.
    quefrency: ``(n_bins, n_quefrencies)``; column j is a period of j samples.
    """

    center_frequencies: NDArray[np.float64]
    frequency: NDArray[np.float64]
    quefrency: NDArray[np.float64]


def cfp_weights(
    sample_rate: float,
    n_fft: int,
    *,
    f_min: float,
    f_max: float,
    bins_per_octave: int,
    resolution: float | None = None,
    parity: Literal["nnaudio"] | None = None,
) -> CfpWeights:
    """Each triangle reaches from the centre before to the centre after its own.

    A triangle between two bins of the spectrum, or two whole periods, takes the nearest. parity "nnaudio": as Su's
    own code and nnAudio's, without the last triangle, the first left empty, and so those between two periods, no
    weight on a bin exactly on a centre, and a frequency axis on which bin n_fft // 2 - 1 is half the sample rate.
    Raises ParameterError.

    resolution: Hz from bin to bin, ``sample_rate / n_fft`` if omitted; nnAudio rounds with the one that it was given.
    """
    if faults := list(_faults(sample_rate, n_fft, f_min, f_max, bins_per_octave)):
        raise ParameterError(faults)
    steps = np.arange(-1, int(np.ceil(np.log2(f_max / f_min) * bins_per_octave)) + 2)
    corners = f_min * 2.0 ** (steps / bins_per_octave)
    corners = corners[: int(np.sum(corners < f_max)) + 1]
    resolution = resolution or sample_rate / n_fft
    if parity == "nnaudio":
        n_frequencies, n_quefrencies = round(f_max / resolution) + 1, round(sample_rate / f_min) + 1
        n_frequencies = min(n_frequencies, n_fft // 2 + 1)
    else:
        n_frequencies = min(int(np.ceil(corners[-1] / resolution)) + 1, n_fft // 2 + 1)
        n_quefrencies = min(int(np.ceil(sample_rate / corners[0])) + 1, n_fft // 2 + 1)
    frequencies = np.arange(n_frequencies, dtype=np.float64) * resolution
    with np.errstate(divide="ignore"):
        periods = sample_rate / np.arange(n_quefrencies, dtype=np.float64)
    if parity == "nnaudio":
        frequencies *= sample_rate / 2 / (n_fft // 2 - 1) / resolution
        return _nnaudio(corners, sample_rate, resolution, frequencies, periods)
    centres = corners[1:-1]
    return CfpWeights(
        centres,
        _filled(_triangles(corners, frequencies), centres / resolution),
        _filled(_triangles(corners, periods), sample_rate / centres),
    )


def _filled(triangles: NDArray[np.float64], positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where a triangle holds no bin, the bin nearest to its centre, which lies at ``positions``."""
    empty = np.flatnonzero(triangles.max(axis=1) == 0)
    nearest = np.minimum(np.rint(positions).astype(np.int64), triangles.shape[1] - 1)
    triangles[empty, nearest[empty]] = 1.0
    return triangles


def _triangles(corners: NDArray[np.float64], hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(len(corners) - 2, len(hertz))``, 1 at the middle corner."""
    low, centre, high = (corners[i : len(corners) - 2 + i, None] for i in range(3))
    rising, falling = (hertz - low) / (centre - low), (high - hertz) / (high - centre)
    return np.maximum(0.0, np.minimum(rising, falling))


def _nnaudio(
    corners: NDArray[np.float64],
    sample_rate: float,
    resolution: float,
    frequencies: NDArray[np.float64],
    periods: NDArray[np.float64],
) -> CfpWeights:
    corners = corners[1:-1]  # the centres: its outermost triangles lie within them
    frequency, quefrency = (
        np.where(np.isin(hertz, corners), 0.0, _triangles(corners, hertz)) for hertz in (frequencies, periods)
    )
    low, high = corners[:-2, None], corners[2:, None]
    first, last = np.rint(low / resolution), np.rint(high / resolution)
    bins = np.arange(len(frequencies))
    frequency[(bins < first) | (bins > last)] = 0.0
    frequency = np.where(first >= last, bins == first, frequency)
    lags = np.arange(len(periods))
    quefrency[(lags < np.rint(sample_rate / high)) | (lags > np.rint(sample_rate / low))] = 0.0
    pad = ((1, 0), (0, 0))
    return CfpWeights(corners[:-1], np.pad(frequency, pad), np.pad(quefrency, pad))


def _faults(sample_rate: float, n_fft: int, f_min: float, f_max: float, bins_per_octave: int) -> Iterator[Fault]:
    yield from band_faults(sample_rate, f_min, f_max, in_octaves=True)
    if bins_per_octave < 1:
        yield Fault("bins_per_octave", f"is {bins_per_octave}; must be at least 1")
    if n_fft < 4:
        yield Fault("n_fft", f"is {n_fft}; must be at least 4 samples")
    elif 0 < f_min < sample_rate / (n_fft // 2):
        yield Fault(
            "f_min",
            f"is {f_min:g} Hz, a period of {sample_rate / f_min:.0f} samples; a cepstrum of n_fft {n_fft} "
            f"holds periods to {n_fft // 2}: raise f_min or n_fft",
        )
