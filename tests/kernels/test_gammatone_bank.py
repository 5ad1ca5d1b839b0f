from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.signal
from kernel_oracle import slide

from specconv.errors import ParameterError
from specconv.kernels.gammatone import erb_bandwidths, erb_frequencies, gammatone_bank, gammatone_weights


def test_bins_are_even_on_the_erb_rate_scale() -> None:
    frequencies = erb_frequencies(64, f_min=50, f_max=8000)
    rate = 21.4 * np.log10(1 + 0.00437 * frequencies)  # Glasberg and Moore's; Slaney's constants differ a little
    np.testing.assert_allclose(np.diff(rate), np.diff(rate).mean(), rtol=1e-3)
    assert frequencies[0] == 50
    following = rate[-1] + np.diff(rate).mean()
    assert (10 ** (following / 21.4) - 1) / 0.00437 == pytest.approx(8000, rel=2e-3)


def test_gain_is_one_and_the_peak_is_the_centre() -> None:
    bank = gammatone_bank(44100, 40, f_min=60)
    for k in range(40):
        kernel = bank.kernel(k)
        times = bank.starts[k] + np.arange(len(kernel))
        carrier = np.exp(2j * np.pi * bank.center_frequencies[k] * times / 44100)
        assert np.vdot(kernel, carrier) == pytest.approx(1)
        assert times[np.abs(kernel).argmax()] == 0
        assert 1e-5 >= bank.envelope(k)[0] * (1 - 1e-9) > 0.5e-5
        assert len(kernel) == len(bank.envelope(k))


@pytest.mark.parametrize("k", [0, 7, 15])
def test_a_kernel_is_scipys_gammatone_backwards(k: int) -> None:
    bank = gammatone_bank(16000, 16, f_min=100)
    frequency = bank.center_frequencies[k]
    # scipy's filter starts at its tau 0, a fraction of a sample before our peak-aligned samples.
    times = -(bank.starts[k] + np.arange(bank.lengths[k])) / 16000 + 3 / (2 * np.pi * 1.019 * erb_bandwidths(frequency))
    b = 2 * np.pi * 1.019 * (frequency / 9.26449 + 24.7)
    expected = times**3 * np.exp(-b * times)
    np.testing.assert_allclose(bank.envelope(k), expected / expected.max(), atol=1e-12)
    numerator, _ = scipy.signal.gammatone(frequency, "fir", order=4, numtaps=2000, fs=16000)
    response = np.abs(np.fft.rfft(numerator, 1 << 16))
    ours = np.abs(np.fft.fft(bank.kernel(k), 1 << 16)[: len(response)])
    near = np.abs(np.fft.rfftfreq(1 << 16, 1 / 16000) - frequency) < 0.6 * erb_bandwidths(frequency)
    np.testing.assert_allclose(ours[near], response[near] / response.max(), atol=0.02)


def test_the_noise_bandwidth_is_the_ears() -> None:
    bank = gammatone_bank(44100, 8, f_min=200, f_max=10000)
    for k in range(8):
        power = np.abs(np.fft.fft(bank.kernel(k), 1 << 17)) ** 2
        assert power.sum() * 44100 / (1 << 17) == pytest.approx(erb_bandwidths(bank.center_frequencies[k]), rel=1e-2)


def test_a_click_is_heard_when_it_comes_and_rings_on() -> None:
    waveform = np.zeros(8001)
    waveform[4000] = 1.0
    levels = np.abs(slide(waveform, gammatone_bank(16000, 10, f_min=100), 1))
    np.testing.assert_array_equal(levels.argmax(axis=1), 4000)
    assert np.all(levels[:, 4000:].sum(axis=1) > 1.2 * levels[:, :4000].sum(axis=1))


@pytest.mark.parity
@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "n_bins", "f_min", "f_max"),
    [(44100, 2048, 64, 20.0, None), (16000, 512, 40, 0.0, 8000.0), (22050, 1024, 128, 50.0, 9000.0)],
)
def test_weights_are_nnaudios(sample_rate: int, n_fft: int, n_bins: int, f_min: float, f_max: float | None) -> None:
    from nnAudio.librosa_functions import get_gammatone

    theirs = get_gammatone(sample_rate, n_fft, n_bins, f_min, f_max)
    ours = gammatone_weights(sample_rate, n_fft, n_bins, f_min=f_min, f_max=f_max) / n_fft
    assert np.abs(ours - theirs).max() < 1e-6 * theirs.max()


def test_weights_are_the_kernels_response() -> None:
    weights = gammatone_weights(16000, 4096, 12, f_min=200, f_max=4000)
    bank = gammatone_bank(16000, 12, f_min=200, f_max=4000)
    for k in range(12):
        response = np.abs(np.fft.fft(bank.kernel(k), 4096)[:2049])
        peak = slice(response.argmax() - 20, response.argmax() + 21)
        np.testing.assert_allclose(weights[k, peak], response[peak], atol=0.02)


@pytest.mark.parametrize(
    ("change", "key"),
    [({"n_bins": 0}, "n_bins"), ({"f_max": 8001.0}, "f_max"), ({"f_min": -1.0}, "f_min"), ({"width": 0.0}, "width")],
)
def test_an_impossible_bank_is_refused(change: dict[str, Any], key: str) -> None:
    good: dict[str, Any] = {"n_bins": 8, "f_min": 50.0}
    with pytest.raises(ParameterError) as caught:
        gammatone_bank(16000, **{**good, **change})
    assert [fault.key for fault in caught.value.faults] == [key]
    with pytest.raises(ParameterError):
        gammatone_weights(16000, 512, **{**good, **change})
