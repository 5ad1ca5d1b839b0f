"""Gammatone filters: the ear's, spaced evenly on its scale.

R. D. Patterson et al., "Complex sounds and auditory images", 1992 (the filter); B. R. Glasberg and B. C. J.
Moore, "Derivation of auditory filter shapes from notched-noise data", 1990 (its bandwidth, ERB); M. Slaney,
"An efficient implementation of the Patterson-Holdsworth auditory filter bank", 1993 (spacing and the digital
filter); V. Hohmann, "Frequency analysis and synthesis using a Gammatone filterbank", 2002 (the complex
filter, aligned by its peak).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from specconv.errors import Fault, ParameterError
from specconv.kernels.band import band_faults
from specconv.kernels.bank import KernelBank

EAR_Q, MIN_BANDWIDTH = 9.26449, 24.7  # ERB(f) = f / EAR_Q + MIN_BANDWIDTH, Hz
_ERB_TO_B = 1.019  # decay of a 4th order gammatone, Hz, for a bandwidth of one ERB
_ORDER = 4
_TAIL = 1e-5  # of the envelope's peak, where a kernel ends


def erb_frequencies(n_bins: int, *, f_min: float, f_max: float) -> NDArray[np.float64]:
    """``(n_bins,)``, Hz, ascending from f_min in even steps of ERB-rate, of which one more would be f_max."""
    offset = EAR_Q * MIN_BANDWIDTH
    steps = np.arange(n_bins) / n_bins
    ratio = (f_max + offset) / (f_min + offset)
    frequencies: NDArray[np.float64] = (f_min + offset) * ratio**steps - offset
    frequencies[0] = f_min
    return frequencies


def erb_bandwidths(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equivalent rectangular bandwidth of the ear at these frequencies, Hz."""
    return frequencies / EAR_Q + MIN_BANDWIDTH


@dataclass(frozen=True, eq=False)
class GammatoneBank(KernelBank):
    """Complex gammatone kernels: ``g(τ) = τ³ exp(-2π b τ) exp(2jπ f τ)``, τ >= 0, as a filter's impulse
    response.

    Correlated with a waveform a kernel is the response backwards in time: it remembers the past. It is
    shifted so that the envelope's peak, at τ = 3 / (2π b), is the frame's centre, and ends where the envelope
    falls below 1e-5 of the peak.

    decays: b, ``(n_bins,)``, Hz. ``window`` has no meaning here.
    """

    decays: NDArray[np.float64] = field(kw_only=True)

    def envelope(self, k: int) -> NDArray[np.float64]:
        """The envelope of bin ``k``, ``(lengths[k],)``, its peak of 1 at time 0."""
        times = int(self.starts[k]) + np.arange(self.lengths[k])
        peak = (_ORDER - 1) / (2 * np.pi * self.decays[k])
        u = 1.0 - times / (peak * self.sample_rate)  # τ over its value at the peak
        envelope: NDArray[np.float64] = (np.maximum(u, 0.0) * np.exp(1.0 - u)) ** (_ORDER - 1)
        return envelope


def gammatone_bank(
    sample_rate: float, n_bins: int, *, f_min: float, f_max: float | None = None, width: float = 1.0
) -> GammatoneBank:
    """4th order gammatone kernels at `erb_frequencies`.

    f_min, f_max: Hz, 0 < f_min < f_max <= sample_rate / 2 (its default). width: factor on every bandwidth.
    The gain is 1 at the centre frequency: ``exp(2jπ f t)`` gives magnitude 1, a real sinusoid of amplitude 1
    gives 1/2. Raises ParameterError.
    """
    f_max = sample_rate / 2 if f_max is None else f_max
    if faults := list(_faults(sample_rate, n_bins, f_min, f_max, width)):
        raise ParameterError(faults)
    frequencies = erb_frequencies(n_bins, f_min=f_min, f_max=f_max)
    decays = _ERB_TO_B * width * erb_bandwidths(frequencies)
    peaks = (_ORDER - 1) / (2 * np.pi * decays) * sample_rate
    future = np.ceil(peaks).astype(np.int64) - 1  # last sample with τ > 0
    past = np.ceil(peaks * (_tail_end() - 1)).astype(np.int64)
    bank = GammatoneBank(
        sample_rate=sample_rate,
        center_frequencies=frequencies,
        lengths=past + future + 1,
        starts=-past,
        gains=np.ones(n_bins),
        decays=decays,
    )
    sums = np.array([bank.envelope(k).sum() for k in range(n_bins)])
    return replace(bank, gains=1.0 / sums)


def gammatone_weights(
    sample_rate: float,
    n_fft: int,
    n_bins: int,
    *,
    f_min: float = 20.0,
    f_max: float | None = None,
    width: float = 1.0,
) -> NDArray[np.float64]:
    """Magnitude response of Slaney's filters at an FFT's bins, ``(n_bins, n_fft // 2 + 1)``: 1 at each
    centre.

    To be multiplied with a power spectrum; D. Ellis' and nnAudio's gammatonegram. nnAudio divides by n_fft as
    well.
    """
    f_max = sample_rate / 2 if f_max is None else f_max
    if faults := list(_faults(sample_rate, n_bins, f_min, f_max, width)):
        raise ParameterError(faults)
    frequencies = erb_frequencies(n_bins, f_min=f_min, f_max=f_max)[:, None]
    angle = 2 * np.pi * frequencies / sample_rate
    decay = np.exp(-2 * np.pi * _ERB_TO_B * width * erb_bandwidths(frequencies) / sample_rate)
    roots = [np.sqrt(3 + 2**1.5), -np.sqrt(3 + 2**1.5), np.sqrt(3 - 2**1.5), -np.sqrt(3 - 2**1.5)]
    zeros = [decay * (np.cos(angle) + root * np.sin(angle)) for root in roots]
    pole = decay * np.exp(1j * angle)

    def response(z: NDArray[np.complex128]) -> NDArray[np.float64]:
        level: NDArray[np.float64] = np.abs((pole - z) * (pole.conj() - z)) ** -float(_ORDER)
        for zero in zeros:
            level *= np.abs(z - zero)
        return level

    around = np.exp(2j * np.pi * np.arange(n_fft // 2 + 1) / n_fft)[None, :]
    return response(around) / response(np.exp(1j * angle))


def _tail_end() -> float:
    """τ over its value at the peak where the envelope has fallen to ``_TAIL``; by bisection."""
    low, high = 1.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        loud = (middle * np.exp(1 - middle)) ** (_ORDER - 1) > _TAIL
        low, high = (middle, high) if loud else (low, middle)
    return high


def _faults(sample_rate: float, n_bins: int, f_min: float, f_max: float, width: float) -> Iterator[Fault]:
    if n_bins < 1:
        yield Fault("n_bins", f"is {n_bins}; must be at least 1")
    yield from band_faults(sample_rate, f_min, f_max)
    if width <= 0:
        yield Fault("width", f"is {width:g}; must be above 0")
