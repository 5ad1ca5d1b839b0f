"""Kernels whose length is a constant number of cycles (CQT), or nearly so (VQT).

J. C. Brown, "Calculation of a constant Q spectral transform", 1991; C. Schörkhuber and A. Klapuri,
"Constant-Q transform toolbox for music processing", 2010; C. Schörkhuber et al., "A Matlab toolbox for
efficient perfect reconstruction time-frequency transforms with log-frequency resolution", 2014 (gamma); B.
McFee et al., librosa.

Bin k has f_k = f_min · 2^(k / bins_per_octave) and bandwidth α f_k + γ, where α is librosa's
(r² - 1) / (r² + 1), r = 2^(1 / bins_per_octave). Its exact length, filter_scale · sample_rate / (α f_k + γ),
is a fraction of samples; the window takes the nearest odd number of samples (the length itself where that is
even), as librosa's does, while the gain keeps the fraction.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from specconv.errors import Fault, ParameterError
from specconv.kernels.bank import LONGEST_KERNEL, KernelBank
from specconv.kernels.windows import WindowSpec, window_norms

Norm: TypeAlias = Literal[1, 2, "max"] | None
Gain: TypeAlias = Literal["librosa", "length", "convolutional", "wrap"]
Bandwidth: TypeAlias = float | Literal["erb"]

ERB_SLOPE, ERB_FLOOR = 0.108, 24.7  # B. R. Glasberg and B. C. J. Moore, 1990: 0.108 f + 24.7 Hz
_ORDERS = {1: 1.0, 2: 2.0, "max": np.inf}


def constant_q_frequencies(f_min: float, n_bins: int, bins_per_octave: int) -> NDArray[np.float64]:
    """``f_min · 2^(k / bins_per_octave)``, ``(n_bins,)``, Hz."""
    frequencies: NDArray[np.float64] = f_min * 2.0 ** (np.arange(n_bins) / bins_per_octave)
    return frequencies


def relative_bandwidth(bins_per_octave: int) -> float:
    """α: half the distance between a bin's neighbours over their mean."""
    ratio = 4.0 ** (1.0 / bins_per_octave)
    return float((ratio - 1) / (ratio + 1))


def constant_q_lengths(
    sample_rate: float,
    frequencies: NDArray[np.float64],
    bins_per_octave: int,
    *,
    gamma: Bandwidth = 0.0,
    filter_scale: float = 1.0,
) -> NDArray[np.float64]:
    """Exact lengths of the kernels, ``(n_bins,)``, in fractions of samples."""
    alpha = relative_bandwidth(bins_per_octave)
    hertz = bandwidth_offset(gamma, alpha)
    lengths: NDArray[np.float64] = filter_scale * sample_rate / (alpha * frequencies + hertz)
    return lengths


def bandwidth_offset(gamma: Bandwidth, alpha: float) -> float:
    """γ in Hz; for "erb" the one that makes every bandwidth, ``α f + γ``, the same fraction of the ear's."""
    return alpha * ERB_FLOOR / ERB_SLOPE if gamma == "erb" else gamma


def constant_q_bank(
    sample_rate: float,
    f_min: float,
    n_bins: int,
    bins_per_octave: int = 12,
    *,
    gamma: Bandwidth = 0.0,
    filter_scale: float = 1.0,
    norm: Norm = 1,
    window: WindowSpec = "hann",
    gain: Gain = "librosa",
) -> KernelBank:
    """The constant-Q (gamma 0) or variable-Q bank, by its definition: no kernel is ever downsampled.

    f_min: Hz, above 0. gamma: Hz added to each bandwidth; "erb" makes bandwidths proportional to the ear's.
    filter_scale: factor on every length. norm: sum of magnitudes (1), energy (2) or maximum ("max") of each
    kernel made 1, or none.
    gain: what follows. "librosa": the square root of the exact length (librosa's scale=True, nnAudio's
        "librosa");
    "length": the exact length (scale=False); "convolutional": nothing; "wrap": 2, a sinusoid of amplitude 1
    gives 1 with norm 1.

    Raises ParameterError: a bin at or above half the sample rate, a kernel of more than 2**24 samples.
    """
    if faults := list(_faults(sample_rate, f_min, n_bins, bins_per_octave, gamma, filter_scale)):
        raise ParameterError(faults)
    frequencies = constant_q_frequencies(f_min, n_bins, bins_per_octave)
    exact = constant_q_lengths(sample_rate, frequencies, bins_per_octave, gamma=gamma, filter_scale=filter_scale)
    _check_lengths(exact, sample_rate)
    lengths = nearest_odd(exact)
    return KernelBank(
        sample_rate=sample_rate,
        center_frequencies=frequencies,
        lengths=lengths,
        starts=-(lengths // 2),
        gains=gain_factors(gain, exact) / kernel_norms(window, lengths, norm),
        window=window,
    )


def nearest_odd(exact: NDArray[np.float64]) -> NDArray[np.int64]:
    """floor(l / 2) + ceil(l / 2): the nearest odd number, or l where it is even."""
    return (np.floor(exact / 2) + np.ceil(exact / 2)).astype(np.int64)


def kernel_norms(window: WindowSpec, lengths: NDArray[np.int64], norm: Norm) -> NDArray[np.float64]:
    return np.ones(len(lengths)) if norm is None else window_norms(window, lengths, _ORDERS[norm])


def gain_factors(gain: Gain, lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    if gain == "librosa":
        return np.sqrt(lengths)
    if gain == "length":
        return lengths
    return np.full(len(lengths), 2.0 if gain == "wrap" else 1.0)


def _faults(
    sample_rate: float, f_min: float, n_bins: int, bins_per_octave: int, gamma: Bandwidth, filter_scale: float
) -> Iterator[Fault]:
    nyquist = sample_rate / 2
    if n_bins < 1:
        yield Fault("n_bins", f"is {n_bins}; must be at least 1")
    if bins_per_octave < 1:
        yield Fault("bins_per_octave", f"is {bins_per_octave}; must be at least 1")
    if gamma != "erb" and gamma < 0:
        yield Fault("gamma", f"is {gamma:g} Hz; must be 0 or more")
    if filter_scale <= 0:
        yield Fault("filter_scale", f"is {filter_scale:g}; must be above 0")
    if not 0 < f_min < nyquist:
        yield Fault(
            "f_min",
            f"is {f_min:g} Hz; must be above 0, where octaves begin, and below {nyquist:g} Hz, half the sample rate",
        )
    elif n_bins >= 1 and bins_per_octave >= 1:
        candidates = min(n_bins, math.ceil(bins_per_octave * math.log2(nyquist / f_min)) + 1)
        fitting = int(np.sum(constant_q_frequencies(f_min, candidates, bins_per_octave) < nyquist))
        if fitting < n_bins:
            yield Fault(
                "n_bins",
                f"is {n_bins}; only {fitting} bins from {f_min:g} Hz, {bins_per_octave} an octave, lie below "
                f"{nyquist:g} Hz, half the sample rate: lower n_bins to {fitting} or lower f_min",
            )


def _check_lengths(exact: NDArray[np.float64], sample_rate: float) -> None:
    """Says in the caller's own terms what the bank would refuse."""
    if exact.max() > LONGEST_KERNEL:
        raise ParameterError(
            [
                Fault(
                    "f_min",
                    f"makes the longest kernel {exact.max():.4g} samples ({exact.max() / sample_rate:.3g} "
                    f"s); at most {LONGEST_KERNEL} are possible: raise f_min or gamma, or lower "
                    "bins_per_octave or filter_scale",
                )
            ]
        )
