"""The constant-Q banks that librosa and nnAudio amount to, as kernels at the full sample rate.

librosa halves the sample rate after every octave while its hop is even, and gives a kernel the nearest odd
number of samples at that lower rate: 2, 4, 8 … times as many of ours. It follows these lengths to about 1e-4
of the peak, which is what it loses by dropping negative frequencies (VQT's low, wide bins lose 1e-2), and is
1 to 2 % off the exact ones. Half a kernel from a clip's ends, where it cuts the downsampled signal, it stays
2 % off; and for windows that do not start at zero, whose first samples its lower rates miss, 1 % (hamming) to
10 % (boxcar).

nnAudio's CQT1992v2 takes the bandwidth from the next bin alone and rounds lengths up. Its CQT2010v2 and VQT
mean the same at halved rates, but delay and alias: for noise they are off by a third of the peak below their
top octave, and after an early downsampling by D too loud by sqrt(D) or D: no bank can follow.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from specconv.kernels.bank import KernelBank
from specconv.kernels.constant_q import (
    Bandwidth,
    Gain,
    Norm,
    bandwidth_offset,
    constant_q_bank,
    constant_q_lengths,
    gain_factors,
    kernel_norms,
    nearest_odd,
    relative_bandwidth,
)
from specconv.kernels.windows import WindowSpec, window_norms


def librosa_constant_q_bank(
    sample_rate: float,
    f_min: float,
    n_bins: int,
    bins_per_octave: int,
    hop_length: int,
    *,
    gamma: Bandwidth = 0.0,
    filter_scale: float = 1.0,
    norm: Norm = 1,
    window: WindowSpec = "hann",
    gain: Gain = "librosa",
) -> KernelBank:
    """`librosa.cqt` and `librosa.vqt` at this hop; gamma "erb" is their None.

    With a norm other than 1, librosa's gain jumps from octave to octave with the sample rate: so does this
    one's.
    """
    exact_bank = constant_q_bank(
        sample_rate, f_min, n_bins, bins_per_octave, gamma=gamma, filter_scale=filter_scale, window=window
    )
    frequencies = exact_bank.center_frequencies
    exact = constant_q_lengths(sample_rate, frequencies, bins_per_octave, gamma=gamma, filter_scale=filter_scale)
    alpha = relative_bandwidth(bins_per_octave)
    edges = frequencies * (1 + 0.5 * _noise_bandwidth(window) * alpha / filter_scale)
    highest = float(np.max(edges)) + 0.5 * bandwidth_offset(gamma, relative_bandwidth(bins_per_octave))
    octaves = (n_bins - 1 - np.arange(n_bins)) // min(bins_per_octave, n_bins)  # from the top
    decimation = _decimation(octaves, hop_length, sample_rate / 2 / highest)
    lengths = nearest_odd(exact / decimation)
    return KernelBank(
        sample_rate=sample_rate,
        center_frequencies=frequencies,
        lengths=lengths * decimation,
        starts=-(lengths // 2) * decimation,
        gains=gain_factors(gain, exact) / (decimation * kernel_norms(window, lengths, norm)),
        window=window,
    )


def nnaudio_constant_q_bank(
    sample_rate: float,
    f_min: float,
    n_bins: int,
    bins_per_octave: int,
    *,
    gamma: Bandwidth = 0.0,
    filter_scale: float = 1.0,
    norm: Norm = 1,
    window: WindowSpec = "hann",
    gain: Gain = "librosa",
) -> KernelBank:
    """nnAudio's CQT1992v2, and what its VQT is meant to be; gain is its ``normalization_type``.

    nnAudio's gamma is a number; "erb" is the one that its bandwidths need.
    """
    exact_bank = constant_q_bank(
        sample_rate, f_min, n_bins, bins_per_octave, gamma=gamma, filter_scale=filter_scale, window=window
    )
    frequencies = exact_bank.center_frequencies
    alpha = 2.0 ** (1.0 / bins_per_octave) - 1.0
    hertz = frequencies + bandwidth_offset(gamma, alpha) / alpha
    exact = np.ceil(filter_scale / alpha * sample_rate / hertz)
    lengths = exact.astype(np.int64)
    norms = exact if norm is None else kernel_norms(window, lengths, norm)
    return KernelBank(
        sample_rate=sample_rate,
        center_frequencies=frequencies,
        lengths=lengths,
        starts=-((lengths + 1) // 2),
        gains=gain_factors(gain, exact) / norms,
        window=window,
    )


def _decimation(octaves: NDArray[np.int64], hop_length: int, headroom: float) -> NDArray[np.int64]:
    """By how much librosa has divided the sample rate at each bin, ``(n_bins,)``, powers of 2.

    Once for every octave as long as the hop is even; before the first, as far as the hop has factors of two
    to spare and the highest kernel's edge stays an octave away from the new Nyquist frequency (headroom: how
    often that edge fits below Nyquist now).
    """
    twos = (hop_length & -hop_length).bit_length() - 1
    early = min(max(0, math.ceil(math.log2(headroom)) - 2), max(0, twos - int(octaves[0])))
    decimation: NDArray[np.int64] = 2 ** np.minimum(early + octaves, twos)
    return decimation


def _noise_bandwidth(window: WindowSpec) -> float:
    """Equivalent noise bandwidth in bins, of 1000 samples as librosa has it."""
    length = np.array([1000])
    energy, total = window_norms(window, length, 2)[0] ** 2, window_norms(window, length, 1)[0] ** 2
    return float(1000 * energy / total)
