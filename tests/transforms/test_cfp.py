from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.signal import get_window, windows
from torch import Tensor

from specconv.errors import ParameterError
from specconv.kernels.cfp import cfp_weights
from specconv.transforms import TransformSet, build_transform
from specconv.transforms.streaming import stream

SAMPLE_RATE = 16000
SMALL: dict[str, Any] = {"type": "cfp", "n_fft": 2048, "hop_length": 256, "f_min": 80.0, "f_max": 900.0}


def noise(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    return 0.3 * torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def voice(f0: float, n_samples: int, harmonics: int = 12) -> Tensor:
    """Harmonics that fall as 1/k."""
    t = torch.arange(n_samples, dtype=torch.float64) / SAMPLE_RATE
    return sum((torch.cos(2 * torch.pi * k * f0 * t + k * k) / k for k in range(1, harmonics + 1)), torch.zeros(()))


def defined(
    waveform: NDArray[np.float64],
    n_fft: int,
    win_length: int,
    hop: int,
    gammas: tuple[float, float, float],
    **band: Any,
) -> NDArray[np.float64]:
    """The formulas of the paper on whole, two-sided transforms."""
    zeros = n_fft - win_length
    window = np.pad(get_window("blackmanharris", win_length), (zeros // 2, zeros - zeros // 2))
    padded = np.pad(waveform, n_fft // 2, mode="reflect")
    weights = cfp_weights(SAMPLE_RATE, n_fft, **band)
    lowest = np.flatnonzero(weights.quefrency.max(axis=0))[0]
    lag = np.minimum(np.arange(n_fft), n_fft - np.arange(n_fft))
    columns = []
    for start in range(0, len(padded) - n_fft + 1, hop):
        spectrum = np.fft.fft(padded[start : start + n_fft] * window)
        z0 = (np.abs(spectrum) / np.sqrt(np.sum(window**2))) ** gammas[0]
        z1 = np.maximum(np.fft.fft(z0).real / np.sqrt(n_fft), 0) ** gammas[1]
        z1[lag < lowest] = 0
        z2 = np.maximum(np.fft.fft(z1).real / np.sqrt(n_fft), 0) ** gammas[2]
        by_frequency = weights.frequency @ z2[: weights.frequency.shape[1]]
        columns.append(by_frequency * (weights.quefrency @ z1[: weights.quefrency.shape[1]]))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize(
    ("n_fft", "win_length", "gammas", "bins_per_octave"),
    [(2048, 2048, (0.24, 0.6, 1.0), 48), (1501, 1001, (0.5, 1.0, 0.7), 24), (1000, 801, (1.0, 0.3, 2.0), 12)],
)
def test_the_definition(n_fft: int, win_length: int, gammas: tuple[float, float, float], bins_per_octave: int) -> None:
    band = {"f_min": 90.0, "f_max": 950.0, "bins_per_octave": bins_per_octave}
    named = dict(zip(("gamma_0", "gamma_1", "gamma_2"), gammas, strict=True))
    transform = build_transform(
        {"type": "cfp", "n_fft": n_fft, "win_length": win_length, "hop_length": 300, **band, **named}, SAMPLE_RATE
    )
    waveform = noise(6000) + voice(200.0, 6000)
    expected = defined(waveform.numpy(), n_fft, win_length, 300, gammas, **band)
    found = transform(waveform).numpy()
    assert found.shape == expected.shape == (transform.n_bins, transform.n_frames(6000))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * expected.max())
    in_float32 = transform(waveform.float()).numpy()
    assert np.abs(in_float32 - expected).max() < 1e-6 * expected.max()


def test_engines_agree() -> None:
    small = {**SMALL, "n_fft": 512, "f_min": 200.0}
    waveforms = noise(2, 3000)
    fft, convolved = (build_transform(small, SAMPLE_RATE, engine=engine)(waveforms) for engine in ("fft", "conv1d"))
    torch.testing.assert_close(convolved, fft, rtol=1e-8, atol=1e-10)


@pytest.mark.parity
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({}, {}),
        (
            {"fr": 5, "hop_length": 160, "window_size": 1024, "fc": 100, "tc": 1 / 2000, "g": [0.3, 0.5, 0.8]},
            {
                "n_fft": 3200,
                "hop_length": 160,
                "win_length": 1024,
                "f_min": 100.0,
                "f_max": 2000.0,
                "gamma_0": 0.3,
                "gamma_1": 0.5,
                "gamma_2": 0.8,
            },
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:stft with return_complex=False", "ignore:divide by zero")
def test_parity_with_nnaudio(theirs: dict[str, Any], ours: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    import scipy.signal
    from nnAudio.features.cfp import CFP

    monkeypatch.setattr(scipy.signal, "blackmanharris", windows.blackmanharris, raising=False)  # gone from newer SciPy
    # In float64, the window too: powers below 1 bring up what rounding leaves between the partials.
    waveforms = torch.stack([noise(16000), voice(220.0, 16000)])
    reference = CFP(**theirs).double()
    reference.h = torch.from_numpy(windows.blackmanharris(reference.window_size))
    expected = reference(waveforms)
    found = build_transform({"type": "cfp", "parity": "nnaudio", **ours}, SAMPLE_RATE)(waveforms)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-6 * expected.max()


@pytest.mark.parametrize("f0", [110.0, 196.0, 262.0, 392.0])
def test_a_harmonic_tone_peaks_at_its_fundamental_alone(f0: float) -> None:
    transform = build_transform({"type": "cfp", "n_fft": 4096, "hop_length": 1024}, SAMPLE_RATE)
    frame = transform(voice(f0, 16000))[:, 8]
    frequencies = transform.center_frequencies
    assert frequencies[int(frame.argmax())] == pytest.approx(f0, rel=2 ** (1 / 48) - 1)
    for other in (f0 / 3, f0 / 2, 2 * f0, 3 * f0):
        if 80 < other < 1000:
            around = np.abs(np.log2(frequencies / other)) < 1 / 24
            assert frame[torch.from_numpy(around)].max() < 0.2 * frame.max(), other


def test_two_voices_are_both_heard() -> None:
    transform = build_transform({"type": "cfp", "n_fft": 4096, "hop_length": 1024}, SAMPLE_RATE)
    frame = transform(voice(196.0, 16000) + voice(293.7, 16000))[:, 8].numpy()
    peaks = np.flatnonzero((frame[1:-1] > frame[:-2]) & (frame[1:-1] >= frame[2:])) + 1
    two = sorted(transform.center_frequencies[sorted(peaks, key=lambda k: -frame[k])[:2]])
    np.testing.assert_allclose(two, [196.0, 293.7], rtol=2 ** (1 / 24) - 1)


@pytest.mark.parametrize("scale", ["magnitude", "decibel", "log"])
@pytest.mark.parametrize("parity", [None, "nnaudio"])
def test_silence_is_finite(scale: str, parity: str | None) -> None:
    specgram = build_transform({**SMALL, "win_length": 2000, "scale": scale, "parity": parity}, SAMPLE_RATE)(
        torch.zeros(1, 4000)
    )
    assert specgram.isfinite().all()
    assert specgram.unique().numel() == 1


def test_a_louder_clip_differs_by_a_factor() -> None:
    transform = build_transform(SMALL, SAMPLE_RATE)
    waveform = noise(5000)
    # Both factors of the product grow with the level to the power of their exponents.
    factor = 10.0 ** (0.24 * 0.6 * 1.0 + 0.24 * 0.6)
    torch.testing.assert_close(transform(10 * waveform), factor * transform(waveform), rtol=1e-9, atol=0)


def test_a_clip_knows_nothing_of_its_neighbours() -> None:
    transform = build_transform(SMALL, SAMPLE_RATE)
    waveforms = noise(5, 9000, dtype=torch.float32)
    lengths = [9000, 4000, 2500, 8999, 1025]
    together = transform(waveforms, lengths)
    for row, waveform, n in zip(together, waveforms, lengths, strict=True):
        alone = transform(waveform[None, :n])[0]
        torch.testing.assert_close(row[:, : alone.shape[1]], alone, rtol=1e-4, atol=1e-5 * float(alone.max()))
        assert not row[:, alone.shape[1] :].any()


def test_streamed_as_whole(tmp_path: Path) -> None:
    transform = build_transform(SMALL, SAMPLE_RATE)
    waveform = noise(30000, dtype=torch.float32)
    parts = [part["cfp"] for part in stream([transform], waveform.split(7000), tmp_path)]
    whole = transform(waveform)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-4, atol=1e-5 * float(whole.max()))


def test_it_shares_its_front_with_its_like_alone() -> None:
    cfp = build_transform(SMALL, SAMPLE_RATE)
    other = build_transform({**SMALL, "f_max": 800.0, "name": "other"}, SAMPLE_RATE)
    stft = build_transform({"type": "stft", "n_fft": 2048, "hop_length": 256, "window": "blackmanharris"}, SAMPLE_RATE)
    assert cfp.front.key == other.front.key != stft.front.key
    waveform = noise(1, 5000)
    together = TransformSet([cfp, stft, other])(waveform)
    torch.testing.assert_close(together["cfp"], cfp(waveform))
    torch.testing.assert_close(together["stft"], stft(waveform))
    same = {**SMALL, "win_length": 2048, "pad_mode": "constant"}
    periodic, symmetric = (build_transform({**same, "parity": parity}, SAMPLE_RATE) for parity in (None, "nnaudio"))
    assert symmetric.front.key != periodic.front.key


CLEAN = {
    "a voice": 0.2 * voice(220.0, 16000),
    "a voice of 16 bits": torch.round(0.2 * voice(220.0, 16000) * 2**15) / 2**15,
    "a tone": 0.5 * torch.cos(2 * torch.pi * 440 * torch.arange(16000, dtype=torch.float64) / SAMPLE_RATE),
    "a period of the frame": torch.cos(2 * torch.pi * torch.arange(16000, dtype=torch.float64) / 32).sign(),
    "a voice that ends": torch.cat([0.2 * voice(220.0, 8000), torch.zeros(8000, dtype=torch.float64)]),
    "a click": torch.nn.functional.one_hot(torch.tensor(8000), 16000).double(),
    "silence": torch.zeros(16000, dtype=torch.float64),
}


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize("engine", ["fft", "conv1d"])
@pytest.mark.parametrize("n_fft", [2048, 8192])
def test_float32_waveforms_lose_nothing(name: str, n_fft: int, engine: Any) -> None:
    """What lies between clean partials is all rounding in float32, and the exponents bring it up: 1 % of the peak."""
    given = {"type": "cfp", "n_fft": n_fft, "hop_length": 4000}
    waveform = CLEAN[name].float()
    found = build_transform(given, SAMPLE_RATE, engine=engine)(waveform).double().numpy()
    band = {"f_min": 80.0, "f_max": 1000.0, "bins_per_octave": 48}
    expected = defined(waveform.double().numpy(), n_fft, n_fft, 4000, (0.24, 0.6, 1.0), **band)
    if name in ("a click", "silence"):
        # The definition's own float64 leaves 1e-19 of what is zero: its spectrum is flat, its cepstrum a single line.
        assert not found.any()
        assert expected.max() < 1e-9
    else:
        assert np.abs(found - expected).max() < 1e-6 * expected.max()


def test_the_precision_of_the_waveform_returns() -> None:
    for dtype in (torch.float32, torch.float64):
        assert build_transform(SMALL, SAMPLE_RATE)(noise(4000, dtype=dtype)).dtype == dtype


def test_a_resolution_stands_for_n_fft() -> None:
    for rate, n_fft in ((16_000, 4000), (11_025, 2756)):
        by_hertz = build_transform({"type": "cfp", "resolution": 4.0}, rate)
        by_samples = build_transform({"type": "cfp", "n_fft": n_fft}, rate)
        waveform = noise(6000)
        torch.testing.assert_close(by_hertz(waveform), by_samples(waveform), rtol=0, atol=0)
        again = build_transform(by_hertz.parameters_given.model_dump(mode="json"), rate)
        torch.testing.assert_close(by_hertz(waveform), again(waveform), rtol=0, atol=0)
    with pytest.raises(ParameterError, match=r"resolution: is 0\.001 Hz; at least"):
        build_transform({"type": "cfp", "resolution": 0.001}, 16_000)


def test_kernels_and_maps_can_be_trained() -> None:
    small = {**SMALL, "n_fft": 256, "f_min": 400.0, "hop_length": 128}
    transform = build_transform(small, SAMPLE_RATE, trainable=True)
    waveforms = torch.stack([noise(1000), torch.zeros(1000)]).requires_grad_()
    transform(waveforms).sum().backward()
    parameters = dict(transform.named_parameters())
    assert len(parameters) == 3  # kernels and two maps
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in parameters.values())
    assert waveforms.grad is not None
    assert waveforms.grad.isfinite().all()


def test_gradients_are_right() -> None:
    transform = build_transform(
        {**SMALL, "n_fft": 64, "f_min": 700.0, "f_max": 2000.0, "hop_length": 64, "bins_per_octave": 6}, SAMPLE_RATE
    )
    assert torch.autograd.gradcheck(transform, noise(1, 150).requires_grad_(), eps=1e-7, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"f_max": 8001.0}, "f_max"),
        ({"f_min": 900.0}, "f_min"),
        ({"n_fft": 256}, "f_min"),
        ({"n_fft": 2**22, "bins_per_octave": 4096}, "bins_per_octave"),
        ({"parity": "nnaudio", "engine": "conv1d"}, "engine"),
        ({"scale": "complex"}, "scale"),
        ({"gamma_0": 0.0}, "gamma_0"),
    ],
)
def test_impossible_parameters_are_refused(change: dict[str, Any], key: str) -> None:
    with pytest.raises(ParameterError) as caught:
        build_transform({**SMALL, **change}, SAMPLE_RATE)
    assert key in [fault.key for fault in caught.value.faults]


def test_nnaudios_window_cannot_be_trained() -> None:
    with pytest.raises(ParameterError, match="symmetric"):
        build_transform({"type": "cfp", "parity": "nnaudio"}, SAMPLE_RATE, trainable=True)


def test_every_default_bin_can_be_heard_at_usual_rates() -> None:
    for sample_rate in (8000, 16000, 22050, 44100):
        transform = build_transform({"type": "cfp", "hop_length": 2048}, sample_rate)
        assert (transform(noise(4, 40000)).amax(dim=(0, 2)) > 0).all()
