"""Each library is called with what a user gave and nothing else, and ``parity`` must give its shape and its numbers."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import librosa
import numpy as np
import pytest
import torch
import torchaudio.transforms as T
from nnAudio import features
from numpy.typing import NDArray
from scipy.signal import windows

from specconv.errors import ParameterError
from specconv.transforms import build_transform

os.environ.setdefault("NNAUDIO_DISABLE_CITATION_REMINDER", "1")
from nnAudio2.features import CFP

pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore:.*mel filter", "ignore:At least one mel", "ignore:Empty filters"),
    pytest.mark.filterwarnings("ignore:stft with return_complex=False", "ignore:divide by zero"),
]

Array = NDArray[Any]
NOISE: NDArray[np.float32] = np.random.default_rng(5).uniform(-0.5, 0.5, 30_001).astype(np.float32)
TENSOR = torch.from_numpy(NOISE)[None]
RATES = [22_050, 16_000, 11_025, 44_100, 22_051]
FRAMES: list[dict[str, Any]] = [
    {},
    {"n_fft": 1024},
    {"n_fft": 1024, "win_length": 600},
    {"hop_length": 300},
    {"n_fft": 321},
    {"n_fft": 511},
    {"n_fft": 511, "win_length": 301},
    {"n_fft": 1024, "center": False},
]
WINDOWS: list[dict[str, Any]] = [{"win_length": 399}, {"win_length": 400, "n_fft": 2048, "center": False}]
BANDS: list[dict[str, Any]] = [{"f_max": 4000.0}, {"f_min": 300.0}, {"n_mels": 40}, {"n_mels": 40, "n_fft": 321}]
SPACED = [{"freq_scale": scale, "n_fft": 512} for scale in ("linear", "log", "log2")]


def with_librosa(kind: str, rate: int, given: dict[str, Any]) -> Array:
    named = {{"f_min": "fmin", "f_max": "fmax"}.get(key, key): value for key, value in given.items()}
    if kind == "stft":
        return np.abs(librosa.stft(NOISE, **named))
    if kind in ("cqt", "vqt"):
        return np.abs(getattr(librosa, kind)(NOISE, sr=rate, **named))
    function = {"mel": librosa.feature.melspectrogram, "mfcc": librosa.feature.mfcc}[kind]
    return np.asarray(function(y=NOISE, sr=rate, **named))


def with_torchaudio(kind: str, rate: int, given: dict[str, Any]) -> Array:
    if kind == "stft":
        module: torch.nn.Module = T.Spectrogram(**given)
    elif kind == "mel":
        module = T.MelSpectrogram(rate, **given)
    else:
        module = T.MFCC(rate, melkwargs=given)
    return np.asarray(module(TENSOR)[0])


def with_nnaudio(kind: str, rate: int, given: dict[str, Any]) -> Array:
    named = {{"f_min": "fmin", "f_max": "fmax"}.get(key, key): value for key, value in given.items()}
    if kind == "stft":
        named |= {"output_format": "Magnitude"}
        named |= {"freq_bins": named.pop("n_bins")} if "n_bins" in named else {}
    classes = {"stft": "STFT", "mel": "MelSpectrogram", "mfcc": "MFCC", "cqt": "CQT1992v2"}
    module = getattr(features, classes.get(kind, "Gammatonegram"))(sr=rate, verbose=False, **named)
    return np.asarray(module(TENSOR)[0].detach())


def with_kapre(kind: str, rate: int, given: dict[str, Any]) -> Array:
    """What tf.signal.stft and kapre's layers do, in NumPy: kapre needs a TensorFlow."""
    n_fft = given.get("n_fft", 2048)
    win_length = given.get("win_length", n_fft)
    hop_length = given.get("hop_length", win_length // 4)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(win_length) / win_length)
    frames = np.lib.stride_tricks.sliding_window_view(NOISE.astype(np.float64), win_length)[::hop_length]
    magnitudes = np.abs(np.fft.rfft(frames * window, n_fft)).T
    if kind == "stft":
        return magnitudes
    band = {
        {"f_min": "fmin", "f_max": "fmax"}.get(k, k): v for k, v in given.items() if k in ("n_mels", "f_min", "f_max")
    }
    weights = librosa.filters.mel(sr=rate, n_fft=2 * (len(magnitudes) - 1), dtype=np.float64, **band)
    return np.asarray(weights @ magnitudes)


CALLS: dict[str, tuple[Callable[[str, int, dict[str, Any]], Array], dict[str, list[dict[str, Any]]]]] = {
    "librosa": (
        with_librosa,
        {"stft": [*FRAMES, *WINDOWS], "mel": [*FRAMES, *WINDOWS, *BANDS], "mfcc": [*FRAMES, {"n_mfcc": 13}, *BANDS]},
    ),
    "torchaudio": (
        with_torchaudio,
        {"stft": [*FRAMES, *WINDOWS], "mel": [*FRAMES, *WINDOWS, *BANDS], "mfcc": [*FRAMES, *WINDOWS, *BANDS]},
    ),
    "nnaudio": (
        with_nnaudio,
        {
            "stft": [
                *FRAMES,
                *WINDOWS,
                *SPACED,
                {**SPACED[0], "f_max": 5000.0},
                {**SPACED[1], "f_max": 5000.0},
                {**SPACED[1], "f_min": 100.0, "n_fft": 511},
                {**SPACED[0], "n_bins": 100, "win_length": 300},
            ],
            "mel": [*FRAMES, *WINDOWS, *BANDS],
            "mfcc": [*FRAMES, *WINDOWS, *BANDS, {"n_mfcc": 13}],
            "gammatonegram": [*FRAMES, *WINDOWS, {"f_max": 4000.0}, {"n_bins": 40, "f_min": 50.0}],
        },
    ),
    "kapre": (
        with_kapre,
        {"stft": [f for f in FRAMES + WINDOWS if "center" not in f], "mel": [f for f in FRAMES if "center" not in f]},
    ),
}
CALLS["kapre"][1]["mel"] += [*BANDS, {"win_length": 399}]
CASES = [
    (library, kind, given)
    for library, (_, kinds) in CALLS.items()
    for kind, subsets in kinds.items()
    for given in subsets
]


@pytest.mark.parametrize(("library", "kind", "given"), CASES)
def test_a_call_with_these_arguments_alone(library: str, kind: str, given: dict[str, Any]) -> None:
    for rate in RATES if kind != "stft" else RATES[:1]:
        expected = CALLS[library][0](kind, rate, given)
        found = build_transform({"type": kind, "parity": library, **given}, rate)(TENSOR)[0].numpy()
        assert found.shape == expected.shape, rate
        # The libraries' filters are float32, and a filter that holds hardly a bin is all rounding in decibels.
        bound = 1e-3 if kind == "mfcc" else 1e-4
        assert np.abs(found - expected).max() <= bound * np.abs(expected).max(), rate


@pytest.mark.parametrize("scale", ["linear", "log", "log2"])
def test_nnaudios_highest_bins_must_exist(scale: str) -> None:
    """Above half the sample rate nnAudio gives mirror images; here it is refused."""
    with pytest.raises(ParameterError, match="f_max: is 6000 Hz; at most 5512"):
        build_transform({"type": "stft", "freq_scale": scale, "parity": "nnaudio"}, 11_025)


@pytest.mark.parametrize("engine", ["fft", "conv1d"])
@pytest.mark.parametrize("given", [{"win_length": 400, "n_fft": 512}, {"win_length": 301, "n_fft": 511}])
def test_kapres_window_at_the_start_of_its_frame(engine: Any, given: dict[str, Any]) -> None:
    transform = build_transform({"type": "stft", "parity": "kapre", "scale": "complex", **given}, 16_000, engine=engine)
    for n in (given["win_length"], 1000, 1001):
        found = transform(TENSOR[0, :n].double()).numpy()
        win = given["win_length"]
        frames = np.lib.stride_tricks.sliding_window_view(NOISE[:n].astype(np.float64), win)[:: win // 4]
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(win) / win)
        expected = np.fft.rfft(frames * window, given["n_fft"]).T
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < 1e-9 * np.abs(expected).max()


@pytest.mark.parametrize(
    "given", [{}, {"hop_length": 300}, {"f_min": 110.0, "n_bins": 60}, {"bins_per_octave": 24, "n_bins": 96}]
)
def test_constant_q(given: dict[str, Any]) -> None:
    for rate in (22_050, 44_100) if "f_min" in given else (22_050,):
        found = build_transform({"type": "cqt", "parity": "nnaudio", **given}, rate)(TENSOR)[0].numpy()
        expected = with_nnaudio("cqt", rate, given)
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 1e-4 * expected.max()
    for kind in ("cqt", "vqt"):
        found = build_transform({"type": kind, "parity": "librosa", **given}, 22_050)(TENSOR)[0].numpy()
        expected = with_librosa(kind, 22_050, given)
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 5e-2 * expected.max()  # it downsamples between octaves


@pytest.mark.parametrize("rate", [16_000, 11_025, 44_100])
@pytest.mark.parametrize(
    ("given", "theirs"),
    [
        ({}, {}),
        ({"n_fft": 4096}, {"fr": "rate / 4096"}),
        ({"f_max": 2000.0}, {"tc": 1 / 2000}),
        ({"hop_length": 500, "win_length": 1001}, {"hop_length": 500, "window_size": 1001}),
        ({"resolution": 4.0, "f_min": 110.0}, {"fr": 4.0, "fc": 110}),
        ({"bins_per_octave": 24, "gamma_0": 0.5}, {"NumPerOct": 24, "g": [0.5, 0.6, 1.0]}),
    ],
)
def test_cfp(given: dict[str, Any], theirs: dict[str, Any], rate: int) -> None:
    named = {key: rate / 4096 if value == "rate / 4096" else value for key, value in theirs.items()}
    reference = CFP(fs=rate, **named).double()  # float32 cannot hold it
    reference.h = torch.from_numpy(windows.blackmanharris(reference.window_size))
    expected = reference(TENSOR.double())[0].numpy()
    found = build_transform({"type": "cfp", "parity": "nnaudio", **given}, rate)(TENSOR)[0].numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-6 * expected.max()
