from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from specconv.errors import ParameterError
from specconv.transforms import InverseStft, Transform, build_inverse, build_transform

SAMPLE_RATE = 16000


def stft(**given: Any) -> Transform:
    return build_transform({"type": "stft", "scale": "complex", **given}, SAMPLE_RATE)


def noise(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    return torch.rand(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed)) * 2 - 1


ROUND_TRIPS: list[dict[str, Any]] = [
    {"n_fft": 512, "hop_length": 128},
    {"n_fft": 512, "hop_length": 200, "win_length": 400},
    {"n_fft": 511, "hop_length": 100},
    {"n_fft": 511, "hop_length": 64, "win_length": 300, "pad_mode": "constant"},
    {"n_fft": 400, "hop_length": 399, "window": "boxcar"},
    {"n_fft": 400, "hop_length": 133, "window": ("kaiser", 8.0)},
    {"n_fft": 256, "hop_length": 64, "center": False, "window": "hamming"},
    {"n_fft": 256, "hop_length": 61, "center": False, "window": "boxcar"},
    {"n_fft": 128, "hop_length": 1, "pad_mode": "replicate"},
    {"n_fft": 128, "hop_length": 32, "engine": "conv1d"},
]


@pytest.mark.parametrize("given", ROUND_TRIPS, ids=str)
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_round_trip(given: dict[str, Any], dtype: torch.dtype, bound: float) -> None:
    transform = stft(**given)
    waveforms = noise(3, 5000, dtype=dtype)
    back = build_inverse(transform)(transform(waveforms))
    n = back.shape[1]
    assert 5000 - transform.hop_length < n <= 5000
    assert back.dtype == dtype
    assert (back - waveforms[:, :n]).abs().max() < bound


@given(
    n_fft=st.integers(4, 96),
    win=st.floats(0.3, 1.0),
    hop=st.floats(0.02, 1.0),
    window=st.sampled_from(["hann", "hamming", "blackman", "boxcar", "bartlett", ("gaussian", 9.0), ("kaiser", 5.0)]),
    center=st.booleans(),
    n_samples=st.integers(1, 400),
)
@settings(max_examples=200, deadline=None)
def test_any_frames_whose_windows_overlap(
    n_fft: int, win: float, hop: float, window: Any, center: bool, n_samples: int
) -> None:
    win_length = max(3, int(win * n_fft))
    transform = stft(
        n_fft=n_fft, win_length=win_length, hop_length=max(1, int(hop * win_length)), window=window, center=center
    )
    assume(transform.n_frames(n_samples) > 0)
    between = seen(transform, 4 * -(-n_fft // transform.hop_length))[n_fft : 2 * n_fft]
    if between.min() < 1e-10 * between.max():
        with pytest.raises(ParameterError, match="hop_length"):
            InverseStft(transform)
        return
    inverse = InverseStft(transform)
    waveform = noise(n_samples, seed=n_fft)
    back = inverse(transform(waveform), n_samples)
    weights = seen(transform, transform.n_frames(n_samples))[n_fft // 2 if center else 0 :][:n_samples]
    weights = np.pad(weights, (0, n_samples - len(weights)))
    well, never = torch.from_numpy(weights > 1e-8), torch.from_numpy(weights == 0)
    torch.testing.assert_close(back[well], waveform[well], rtol=0, atol=1e-10)
    assert not back[never].any()


def seen(transform: Transform, n_frames: int) -> np.ndarray[Any, Any]:
    """Squared windows of the frames, added up one by one."""
    framing = transform.parameters_given.framing  # type: ignore[attr-defined]
    window = transform.front.window.values  # type: ignore[attr-defined]
    total = np.zeros((n_frames - 1) * framing.hop_length + framing.n_fft)
    for start in range(0, n_frames * framing.hop_length, framing.hop_length):
        total[start : start + framing.n_fft] += window**2
    return total


@pytest.mark.parity
@pytest.mark.parametrize(
    ("n_fft", "hop", "win", "center"), [(512, 128, 512, True), (512, 100, 300, True), (512, 128, 512, False)]
)
def test_parity_with_torch_and_librosa(n_fft: int, hop: int, win: int, center: bool) -> None:
    import librosa

    # Spectra that are no waveform's: there the least squares must be the same too.
    spectra = torch.complex(noise(2, n_fft // 2 + 1, 30), noise(2, n_fft // 2 + 1, 30, seed=1))
    found = build_inverse(stft(n_fft=n_fft, hop_length=hop, win_length=win, center=center, window="hamming"))(spectra)
    window = torch.hamming_window(win, dtype=torch.float64)
    expected = torch.istft(spectra, n_fft, hop, win, window, center=center)
    start = 0 if center else (n_fft - win) // 2
    assert found.shape == expected.shape
    torch.testing.assert_close(found[:, start:], expected[:, start:], rtol=0, atol=1e-10)
    theirs = librosa.istft(
        spectra.numpy(), n_fft=n_fft, hop_length=hop, win_length=win, window="hamming", center=center
    )
    np.testing.assert_allclose(found[:, : theirs.shape[-1]], theirs, rtol=0, atol=1e-6)


def test_given_lengths_end_the_clip_where_it_ended() -> None:
    transform = stft(n_fft=256, hop_length=64)
    inverse = build_inverse(transform)
    for n_samples in range(1000, 1070, 7):
        waveform = noise(n_samples)
        torch.testing.assert_close(inverse(transform(waveform), n_samples), waveform, rtol=0, atol=1e-10)
    with pytest.raises(ParameterError, match=r"length is 500 samples.* 17 frames; it must be 1024 … 1087"):
        inverse(transform(noise(1024)), 500)


def test_silence_and_single_frames() -> None:
    transform = stft(n_fft=256, hop_length=64)
    inverse = build_inverse(transform)
    assert not inverse(transform(torch.zeros(2, 1000))).any()
    assert inverse(transform(noise(1, 30)), 30).shape == (1, 30)
    assert inverse(transform(noise(1, 30))).shape == (1, 1)


def test_a_clip_knows_nothing_of_its_neighbours() -> None:
    transform = stft(n_fft=256, hop_length=64)
    inverse = build_inverse(transform)
    spectra = transform(noise(70, 3000, dtype=torch.float32))
    together = inverse(spectra)
    torch.testing.assert_close(together[33], inverse(spectra[33]), rtol=0, atol=1e-7)


def test_the_tiles_of_a_long_recording_join() -> None:
    transform = stft(n_fft=512, hop_length=160)
    waveforms = noise(2, 300_000, dtype=torch.float32)
    assert (build_inverse(transform)(transform(waveforms), 300_000) - waveforms).abs().max() < 1e-5


def test_it_can_be_differentiated() -> None:
    inverse = build_inverse(stft(n_fft=16, hop_length=4))
    spectra = torch.complex(noise(2, 9, 5), noise(2, 9, 5, seed=1)).requires_grad_()
    assert torch.autograd.gradcheck(inverse, spectra)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n_fft": 512, "hop_length": 512}, "hop_length: is 512.*unseen.*lower hop_length"),
        ({"n_fft": 512, "hop_length": 300, "win_length": 256}, "hop_length: is 300.*unseen"),
        ({"freq_scale": "log"}, "freq_scale: is log; only the FFT's own bins"),
        ({"scale": "decibel"}, "stft with scale decibel has no inverse; these have: stft with scale complex;"),
    ],
)
def test_what_cannot_be_inverted_is_said(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        build_inverse(stft(**given))


def test_other_transforms_and_trained_kernels_are_refused() -> None:
    with pytest.raises(ParameterError, match="mel with scale power has no inverse"):
        build_inverse(build_transform({"type": "mel"}, SAMPLE_RATE))
    with pytest.raises(ParameterError, match=r"type: is mel; InverseStft inverts stft\nscale: is power"):
        InverseStft(build_transform({"type": "mel"}, SAMPLE_RATE))
    trainable = build_transform({"type": "stft", "scale": "complex", "n_fft": 64}, SAMPLE_RATE, trainable=True)
    with pytest.raises(ParameterError, match="trainable kernels"):
        build_inverse(trainable)
    layered = build_transform({"type": "stft", "then": [{"layer": "delta"}]}, SAMPLE_RATE)
    with pytest.raises(ParameterError, match="then: holds layers"):
        build_inverse(layered)


def test_other_specgrams_are_refused() -> None:
    inverse = build_inverse(stft(n_fft=64))
    with pytest.raises(ParameterError, match=r"specgram is \(2, 32, 5\); needed is \(batch, 33, n_frames\)"):
        inverse(torch.zeros(2, 32, 5, dtype=torch.complex64))
    with pytest.raises(ParameterError, match="complex values"):
        inverse(torch.zeros(2, 33, 5))
