from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kernel_oracle import distance, slide

from specconv.errors import ParameterError
from specconv.kernels.fourier import fourier_bank, spaced_frequencies, uniform_frequencies
from specconv.kernels.windows import window


@pytest.mark.parametrize("n_fft", [1, 2, 255, 256, 1000])
def test_uniform_frequencies_are_the_ffts(n_fft: int) -> None:
    frequencies = uniform_frequencies(44100, n_fft)
    np.testing.assert_allclose(frequencies, np.fft.rfftfreq(n_fft, 1 / 44100), rtol=1e-14)
    assert frequencies[-1] <= 22050


@pytest.mark.parametrize(("n_fft", "win_length"), [(256, 256), (256, 101), (255, 255), (255, 100)])
def test_uniform_bank_is_the_fft_of_the_windowed_frame(n_fft: int, win_length: int) -> None:
    waveform = np.random.default_rng(0).standard_normal(2000)
    bank = fourier_bank(8000, n_fft, uniform_frequencies(8000, n_fft), win_length=win_length)
    found = slide(waveform, bank, 64)
    weights = np.zeros(n_fft)
    weights[(n_fft - win_length) // 2 :][:win_length] = window("hann", win_length)
    padded = np.pad(waveform, (n_fft // 2, n_fft))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::64][: found.shape[1]]
    np.testing.assert_allclose(found, np.fft.rfft(frames * weights, axis=1).T, atol=1e-10)


def test_spacing_is_even_in_hertz_or_octaves() -> None:
    linear = spaced_frequencies(16000, 512, 100, 50.0, 7000.0, "linear")
    np.testing.assert_allclose(linear, np.linspace(50, 7000, 100), rtol=1e-13)
    for spacing in ("log", "log2"):
        octaves = spaced_frequencies(16000, 512, 100, 50.0, 7000.0, spacing)
        np.testing.assert_allclose(octaves, np.geomspace(50, 7000, 100), rtol=1e-13)


def test_linear_spacing_to_nyquist_is_the_fft() -> None:
    found = spaced_frequencies(44100, 2048, None, 0.0, 22050.0, "linear")
    np.testing.assert_allclose(found, uniform_frequencies(44100, 2048), rtol=1e-13)


def test_rounding_does_not_pass_nyquist() -> None:
    lowest = np.linspace(1, 100, 500)
    assert np.any(lowest * (22050 / lowest) > 22050)
    for f_min in lowest:
        assert spaced_frequencies(44100, 64, 2, f_min, 22050.0, "log").max() <= 22050


def test_one_bin_lies_at_f_min() -> None:
    assert spaced_frequencies(16000, 512, 1, 100.0, 200.0, "log").tolist() == [100.0]


@pytest.mark.parity
@pytest.mark.parametrize("spacing", ["linear", "log", "log2"])
@pytest.mark.parametrize("win_length", [512, 300])
def test_spaced_bank_is_nnaudios(spacing: Any, win_length: int) -> None:
    import torch
    from nnAudio.features import STFT

    waveform = np.random.default_rng(1).standard_normal(3000)
    layer = STFT(
        n_fft=512,
        win_length=win_length,
        freq_bins=90,
        hop_length=128,
        freq_scale=spacing,
        fmin=30,
        fmax=7000,
        sr=16000,
        pad_mode="constant",
        output_format="Complex",
        verbose=False,
    )
    frequencies = spaced_frequencies(16000, 512, 90, 30, 7000, spacing, parity="nnaudio")
    np.testing.assert_allclose(frequencies, layer.bins2freq, rtol=1e-12)
    theirs = torch.view_as_complex(layer(torch.tensor(waveform, dtype=torch.float32)[None])[0].contiguous()).numpy()
    ours = slide(waveform, fourier_bank(16000, 512, frequencies, win_length=win_length), 128)
    assert distance(theirs, ours) < 2e-6


@pytest.mark.parametrize(
    ("change", "key", "says"),
    [
        ({"f_max": 9000.0}, "f_max", "9000 Hz; at most 8000 Hz"),
        ({"f_min": 0.0}, "f_min", "above 0 Hz"),
        ({"f_min": 5000.0}, "f_min", "below f_max"),
        ({"f_min": -1.0, "spacing": "linear"}, "f_min", "from 0"),
        ({"n_bins": 0}, "n_bins", "at least 1"),
    ],
)
def test_an_impossible_band_is_refused(change: dict[str, Any], key: str, says: str) -> None:
    good = {"n_bins": 10, "f_min": 20.0, "f_max": 4000.0, "spacing": "log"}
    with pytest.raises(ParameterError, match=says) as caught:
        spaced_frequencies(16000, 512, **{**good, **change})
    assert [fault.key for fault in caught.value.faults] == [key]


@pytest.mark.parametrize("win_length", [0, 513])
def test_a_window_longer_than_its_frame_is_refused(win_length: int) -> None:
    with pytest.raises(ParameterError, match="win_length"):
        fourier_bank(16000, 512, [100.0], win_length=win_length)


def test_an_unknown_window_is_refused_at_once() -> None:
    with pytest.raises(ParameterError, match="bellcurve"):
        fourier_bank(16000, 512, [100.0], window="bellcurve")
