"""Mel filters: triangles over the bins of a short-time spectrum, evenly spaced on a scale of perceived pitch.

S. S. Stevens, J. Volkmann and E. B. Newman, "A scale for the measurement of the psychological magnitude
pitch", 1937. "slaney": M. Slaney, "Auditory Toolbox", 1998. "htk": S. Young et al., "The HTK Book", 2002.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from specconv.errors import Fault, ParameterError, SpecconvWarning
from specconv.kernels.band import band_faults
from specconv.kernels.fourier import uniform_frequencies

MelScale: TypeAlias = Literal["slaney", "htk"]

# Slaney's scale: linear up to 1 kHz, 15 mel, then 27 mel for every factor of 6.4.
_LINEAR_HZ_PER_MEL = 200.0 / 3.0
_KNEE_HZ = 1000.0
_KNEE_MEL = _KNEE_HZ / _LINEAR_HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


def hz_to_mel(frequencies: NDArray[np.float64], mel_scale: MelScale = "slaney") -> NDArray[np.float64]:
    """Hz to mel, any shape."""
    hz = np.asarray(frequencies, dtype=np.float64)
    if mel_scale == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    logarithmic = _KNEE_MEL + np.log(np.maximum(hz, _KNEE_HZ) / _KNEE_HZ) / _LOG_STEP
    return np.where(hz < _KNEE_HZ, hz / _LINEAR_HZ_PER_MEL, logarithmic)


def mel_to_hz(mels: NDArray[np.float64], mel_scale: MelScale = "slaney") -> NDArray[np.float64]:
    """Mel to Hz, any shape."""
    mel = np.asarray(mels, dtype=np.float64)
    if mel_scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    logarithmic = _KNEE_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _KNEE_MEL) - _KNEE_MEL))
    return np.where(mel < _KNEE_MEL, mel * _LINEAR_HZ_PER_MEL, logarithmic)


def mel_frequencies(n_mels: int, *, f_min: float, f_max: float, mel_scale: MelScale = "slaney") -> NDArray[np.float64]:
    """The filters' centres, ``(n_mels,)``, Hz; the outermost filters begin and end at f_min and f_max."""
    return _corners(n_mels, f_min, f_max, mel_scale)[1:-1]


def mel_weights(
    sample_rate: float,
    n_fft: int,
    n_mels: int,
    *,
    f_min: float = 0.0,
    f_max: float | None = None,
    mel_scale: MelScale = "slaney",
    norm: Literal["slaney"] | None = "slaney",
    parity: Literal["torchaudio", "nnaudio", "kapre"] | None = None,
) -> NDArray[np.float64]:
    """Weights of the spectrum's bins in each filter, ``(n_mels, n_fft // 2 + 1)``.

    f_min, f_max: Hz, 0 <= f_min < f_max <= sample_rate / 2 (its default).
    norm: "slaney" gives each triangle an area of 1 Hz, None a height of 1.
    parity: these libraries take the last bin for half the sample rate, which it is not when n_fft is odd; torchaudio
        rounds half the sample rate down to whole Hz.
    Raises ParameterError; warns (SpecconvWarning) of filters so narrow that no bin lies inside.
    """
    f_max = sample_rate / 2 if f_max is None else f_max
    if faults := list(_faults(sample_rate, n_fft, n_mels, f_min, f_max)):
        raise ParameterError(faults)
    corners = _corners(n_mels, f_min, f_max, mel_scale)
    frequencies = uniform_frequencies(sample_rate, n_fft)
    if parity and frequencies[-1] > 0:
        frequencies *= (sample_rate // 2 if parity == "torchaudio" else sample_rate / 2) / frequencies[-1]
    distances = frequencies - corners[:, None]
    widths = np.diff(corners)[:, None]
    weights = np.maximum(0.0, np.minimum(distances[:-2] / widths[:-1], -distances[2:] / widths[1:]))
    if norm == "slaney":
        weights *= 2.0 / (corners[2:] - corners[:-2])[:, None]
    if len(empty := np.flatnonzero(weights.max(axis=1) == 0)):
        warnings.warn(
            f"{len(empty)} of {n_mels} mel filters hold no bin of the spectrum and stay at zero "
            f"({_enumerate(empty)}); lower n_mels or raise n_fft ({n_fft})",
            SpecconvWarning,
            stacklevel=2,
        )
    return weights


def _corners(n_mels: int, f_min: float, f_max: float, mel_scale: MelScale) -> NDArray[np.float64]:
    lowest, highest = hz_to_mel(np.array([f_min, f_max]), mel_scale)
    return mel_to_hz(np.linspace(lowest, highest, n_mels + 2), mel_scale)


def _faults(sample_rate: float, n_fft: int, n_mels: int, f_min: float, f_max: float) -> Iterator[Fault]:
    if n_fft < 1:
        yield Fault("n_fft", f"is {n_fft}; must be at least 1 sample")
    if n_mels < 1:
        yield Fault("n_mels", f"is {n_mels}; must be at least 1")
    yield from band_faults(sample_rate, f_min, f_max)


def _enumerate(numbers: NDArray[np.int64]) -> str:
    named = ", ".join(str(number) for number in numbers[:16])
    return f"number {named}" + (f" and {len(numbers) - 16} more" if len(numbers) > 16 else "")
