"""``parity`` gives what each library itself gives, within 1e-4 of the peak unless its own method allows less."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import librosa
import numpy as np
import pytest
import torch
import torchaudio
from nnAudio import features

from specconv.transforms import build_transform

pytestmark = pytest.mark.parity

RATE = 22_050
NOISE = np.random.default_rng(5).uniform(-0.5, 0.5, 40_000).astype(np.float32)
TENSOR = torch.from_numpy(NOISE)[None]
QUIET = {"verbose": False}
WIDE = {"n_fft": 1024, "hop_length": 512, "n_mels": 64}  # torchaudio's own defaults leave mel filters empty


def of_nnaudio(module: torch.nn.Module, **call: Any) -> np.ndarray[Any, Any]:
    return module(TENSOR, **call)[0].detach().numpy()


LIBRARIES: dict[str, tuple[dict[str, Any], Callable[[], Any], float]] = {
    "librosa stft": ({"type": "stft"}, lambda: np.abs(librosa.stft(NOISE)), 1e-5),
    "librosa mel": ({"type": "mel"}, lambda: librosa.feature.melspectrogram(y=NOISE, sr=RATE), 1e-5),
    "librosa mel dB": (
        {"type": "mel", "scale": "decibel"},
        lambda: librosa.power_to_db(librosa.feature.melspectrogram(y=NOISE, sr=RATE)),
        1e-4,
    ),
    "librosa mfcc": ({"type": "mfcc"}, lambda: librosa.feature.mfcc(y=NOISE, sr=RATE), 1e-4),
    "torchaudio stft": ({"type": "stft"}, lambda: torchaudio.transforms.Spectrogram()(TENSOR)[0], 1e-5),
    "torchaudio mel": (
        {"type": "mel", **WIDE},
        lambda: torchaudio.transforms.MelSpectrogram(RATE, **WIDE)(TENSOR)[0],
        1e-4,
    ),
    "torchaudio mfcc": (
        {"type": "mfcc", **WIDE},
        lambda: torchaudio.transforms.MFCC(RATE, melkwargs=WIDE)(TENSOR)[0],
        1e-4,
    ),
    "nnaudio stft": (
        {"type": "stft"},
        lambda: of_nnaudio(features.STFT(sr=RATE, output_format="Magnitude", **QUIET)),
        1e-4,
    ),
    "nnaudio log stft": (
        {"type": "stft", "freq_scale": "log", "f_min": 50.0, "f_max": 6000.0},
        lambda: of_nnaudio(
            features.STFT(sr=RATE, freq_scale="log", fmin=50, fmax=6000, output_format="Magnitude", **QUIET)
        ),
        1e-4,
    ),
    "nnaudio mel": ({"type": "mel"}, lambda: of_nnaudio(features.MelSpectrogram(sr=RATE, **QUIET)), 1e-4),
    "nnaudio cqt": (
        {"type": "cqt", "f_min": 110.0, "n_bins": 60},
        lambda: of_nnaudio(features.CQT1992v2(sr=RATE, fmin=110, n_bins=60, **QUIET)),
        1e-4,
    ),
    "nnaudio gammatonegram": (
        {"type": "gammatonegram"},
        lambda: of_nnaudio(features.Gammatonegram(sr=RATE, **QUIET)),
        1e-4,
    ),
}


@pytest.mark.parametrize("name", LIBRARIES)
def test_parity_is_with_the_library_itself(name: str) -> None:
    given, library, bound = LIBRARIES[name]
    found = build_transform({**given, "parity": name.split()[0]}, RATE)(TENSOR)[0].numpy()
    expected = np.asarray(library())
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= bound * np.abs(expected).max()


@pytest.mark.parametrize("kind", ["cqt", "vqt"])
def test_constant_q_is_as_near_to_librosa_as_its_downsampling_allows(kind: str) -> None:
    """Away from the ends, where librosa cuts the downsampled signal; 0.6 % of it is its own sparsity."""
    given = {"type": kind, "f_min": 110.0, "n_bins": 48, "parity": "librosa"}
    found = build_transform({**given, **({"gamma": 0.0} if kind == "vqt" else {})}, RATE)(TENSOR)[0].numpy()
    settings: dict[str, Any] = {"sr": RATE, "fmin": 110.0, "n_bins": 48, "sparsity": 0.0, "res_type": "soxr_vhq"}
    if kind == "vqt":
        expected = np.abs(librosa.vqt(NOISE, gamma=0.0, **settings))
    else:
        expected = np.abs(librosa.cqt(NOISE, **settings))
    inside = slice(20, -20)
    assert np.abs(found - expected)[:, inside].max() <= 3e-4 * expected.max()
