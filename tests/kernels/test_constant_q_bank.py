from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_oracle import slide

from specconv.errors import ParameterError
from specconv.kernels.constant_q import constant_q_bank, constant_q_frequencies, constant_q_lengths


def test_bins_are_even_in_octaves_and_kernels_count_cycles() -> None:
    bank = constant_q_bank(44100, 55.0, 84, 24)
    np.testing.assert_allclose(bank.center_frequencies, 55 * 2 ** (np.arange(84) / 24))
    lengths = constant_q_lengths(44100, bank.center_frequencies, 24)
    cycles = lengths * bank.center_frequencies / 44100
    ratio = 2 ** (1 / 12)
    np.testing.assert_allclose(cycles, (ratio + 1) / (ratio - 1))
    assert np.all(np.abs(bank.lengths - lengths) <= 1)
    np.testing.assert_array_equal(bank.lengths % 2, 1)
    np.testing.assert_array_equal(bank.starts, -(bank.lengths // 2))


def test_an_even_length_is_kept() -> None:
    # α = 3 / 5 at one bin an octave: 60 Hz at 3600 Hz makes 100 samples exactly.
    assert constant_q_bank(3600, 60.0, 1, 1).lengths.tolist() == [100]


def test_gamma_widens_low_bins_most() -> None:
    frequencies = constant_q_frequencies(32.7, 84, 12)
    plain = constant_q_lengths(22050, frequencies, 12)
    wide = constant_q_lengths(22050, frequencies, 12, gamma=20.0)
    np.testing.assert_allclose(22050 / wide, 22050 / plain + 20)
    ear = constant_q_lengths(22050, frequencies, 12, gamma="erb")
    ratio = (22050 / ear) / (0.108 * frequencies + 24.7)
    np.testing.assert_allclose(ratio, ratio[0])
    scaled = constant_q_lengths(22050, frequencies, 12, gamma=20.0, filter_scale=0.5)
    np.testing.assert_allclose(scaled, wide / 2)


@given(
    k=st.integers(0, 47),
    phase=st.floats(0, 6),
    window=st.sampled_from(["hann", "blackman", "nuttall", ("kaiser", 14.0)]),
)
def test_a_sinusoid_peaks_in_its_bin_at_its_amplitude(k: int, phase: float, window: Any) -> None:
    bank = constant_q_bank(8000, 110.0, 48, 12, gain="wrap", window=window)
    n = np.arange(4000)
    waveform = np.cos(2 * np.pi * bank.center_frequencies[k] * n / 8000 + phase)
    levels = np.abs(slide(waveform, bank, 2000)[:, 1])
    assert levels.argmax() == k
    assert levels[k] == pytest.approx(1, abs=2e-3)


def test_phase_counts_from_the_frames_centre() -> None:
    bank = constant_q_bank(8000, 200.0, 12, 12)
    waveform = np.cos(2 * np.pi * bank.center_frequencies[5] * (np.arange(6001) - 3000) / 8000 + 0.7)
    assert np.angle(slide(waveform, bank, 3000)[5, 1]) == pytest.approx(0.7, abs=2e-3)


@pytest.mark.parametrize(
    ("gain", "factor"),
    [("librosa", np.sqrt), ("length", lambda n: n), ("convolutional", np.ones_like), ("wrap", lambda n: 0 * n + 2)],
)
@pytest.mark.parametrize(("norm", "order"), [(1, 1), (2, 2), ("max", np.inf)])
def test_gain_follows_the_norm(gain: Any, factor: Any, norm: Any, order: float) -> None:
    bank = constant_q_bank(22050, 100.0, 30, 12, norm=norm, gain=gain, window="hamming")
    lengths = constant_q_lengths(22050, bank.center_frequencies, 12)
    norms = [np.linalg.norm(bank.kernel(k), order) for k in range(30)]
    np.testing.assert_allclose(norms, factor(lengths), rtol=1e-12)


def test_without_a_norm_the_window_is_itself() -> None:
    bank = constant_q_bank(22050, 100.0, 3, 12, norm=None, gain="convolutional")
    np.testing.assert_array_equal(bank.gains, 1)


def test_a_bank_of_many_long_kernels_is_only_a_description() -> None:
    bank = constant_q_bank(44100, 32.703, 840, 120)
    assert bank.lengths.sum() > 30e6  # 480 MB if written out
    assert sum(v.nbytes for v in vars(bank).values() if isinstance(v, np.ndarray)) < 1e5


@pytest.mark.parametrize(
    ("change", "key", "says"),
    [
        ({"n_bins": 140}, "n_bins", "140; only 113 bins from 32.7 Hz, 12 an octave, lie below 22050 Hz"),
        ({"n_bins": 10**12}, "n_bins", "only 113 bins"),
        ({"n_bins": 0}, "n_bins", "at least 1"),
        ({"bins_per_octave": 0}, "bins_per_octave", "at least 1"),
        ({"f_min": 0.0}, "f_min", "above 0"),
        ({"f_min": 22050.0}, "f_min", "below 22050 Hz"),
        ({"f_min": 0.001}, "f_min", "longest kernel .* at most 16777216"),
        ({"gamma": -1.0}, "gamma", "0 or more"),
        ({"filter_scale": 0.0}, "filter_scale", "above 0"),
    ],
)
def test_an_impossible_bank_is_refused(change: dict[str, Any], key: str, says: str) -> None:
    good = {"sample_rate": 44100, "f_min": 32.7, "n_bins": 84, "bins_per_octave": 12}
    with pytest.raises(ParameterError, match=says) as caught:
        constant_q_bank(**{**good, **change})
    assert [fault.key for fault in caught.value.faults] == [key]


def test_as_many_bins_as_the_message_says_do_fit() -> None:
    assert constant_q_bank(44100, 32.7, 113, 12).center_frequencies[-1] < 22050
