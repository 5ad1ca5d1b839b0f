from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from specconv.errors import ParameterError, SpecconvWarning
from specconv.kernels.mel import hz_to_mel, mel_frequencies, mel_to_hz, mel_weights

CASES = [
    {"sample_rate": 16000, "n_fft": 1024, "n_mels": 64, "mel_scale": "htk", "norm": None},
    {"sample_rate": 22050, "n_fft": 2048, "n_mels": 128, "mel_scale": "slaney", "norm": "slaney"},
    {"sample_rate": 44100, "n_fft": 2048, "n_mels": 128, "mel_scale": "htk", "norm": "slaney", "f_min": 30.0},
    {"sample_rate": 44100, "n_fft": 4096, "n_mels": 100, "mel_scale": "slaney", "norm": None, "f_max": 15000.0},
    {"sample_rate": 8000, "n_fft": 511, "n_mels": 20, "mel_scale": "slaney", "norm": "slaney", "f_min": 100.0},
]


@pytest.mark.parametrize("mel_scale", ["slaney", "htk"])
def test_mel_and_back_is_the_same_frequency(mel_scale: Any) -> None:
    hz = np.linspace(0, 24000, 997)
    mel = hz_to_mel(hz, mel_scale)
    assert np.all(np.diff(mel) > 0)
    np.testing.assert_allclose(mel_to_hz(mel, mel_scale), hz, atol=1e-9)


def test_fixed_points_of_the_scales() -> None:
    np.testing.assert_allclose(hz_to_mel(np.array([0.0, 1000.0, 6400.0])), [0, 15, 42])
    assert hz_to_mel(np.array(1000.0), "htk") == pytest.approx(1000, abs=0.02)


def test_a_filter_is_a_triangle_between_its_neighbours() -> None:
    centres = mel_frequencies(40, f_min=0, f_max=8000)
    weights = mel_weights(16000, 1 << 14, 40, norm=None)
    bins = np.arange((1 << 13) + 1) * 16000 / (1 << 14)
    for m in (5, 20, 35):
        expected = np.interp(bins, centres[m - 1 : m + 2], [0, 1, 0])
        np.testing.assert_allclose(weights[m], expected, atol=1e-12)


def test_slaney_norm_gives_every_filter_an_area_of_one_hertz() -> None:
    weights = mel_weights(16000, 1 << 15, 32)
    np.testing.assert_allclose(weights.sum(axis=1) * 16000 / (1 << 15), 1, rtol=1e-3)


@pytest.mark.parity
@pytest.mark.parametrize("case", CASES)
def test_weights_are_librosas(case: dict[str, Any]) -> None:
    import librosa

    theirs = librosa.filters.mel(
        sr=case["sample_rate"],
        n_fft=case["n_fft"],
        n_mels=case["n_mels"],
        fmin=case.get("f_min", 0.0),
        fmax=case.get("f_max"),
        htk=case["mel_scale"] == "htk",
        norm=case["norm"],
        dtype=np.float64,
    )
    np.testing.assert_allclose(mel_weights(**case), theirs, atol=1e-12)


@pytest.mark.parity
@pytest.mark.parametrize("case", [case for case in CASES if case["n_fft"] % 2 == 0])
def test_weights_are_torchaudios(case: dict[str, Any]) -> None:
    import torch
    import torchaudio

    torch.set_default_dtype(torch.float64)
    try:
        theirs = torchaudio.functional.melscale_fbanks(
            case["n_fft"] // 2 + 1,
            case.get("f_min", 0.0),
            case.get("f_max", case["sample_rate"] / 2),
            case["n_mels"],
            case["sample_rate"],
            norm=case["norm"],
            mel_scale=case["mel_scale"],
        )
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_allclose(mel_weights(**case), theirs.numpy().T, atol=1e-10)


@pytest.mark.parity
@pytest.mark.parametrize("case", [case for case in CASES if case["n_fft"] % 2 == 0])
def test_weights_are_nnaudios(case: dict[str, Any]) -> None:
    from nnAudio.librosa_functions import get_mel

    theirs = get_mel(
        case["sample_rate"],
        case["n_fft"],
        case["n_mels"],
        fmin=case.get("f_min", 0.0),
        fmax=case.get("f_max"),
        htk=case["mel_scale"] == "htk",
        norm=1 if case["norm"] else None,
    )
    np.testing.assert_allclose(mel_weights(**case), theirs, atol=1e-7)


def test_empty_filters_are_named() -> None:
    with pytest.warns(
        SpecconvWarning, match=r"\d+ of 256 mel filters .*number 0, 1, 2, 3, 6.*and 48 more.*raise n_fft \(512\)"
    ):
        weights = mel_weights(44100, 512, 256)
    assert (weights.max(axis=1) == 0).any()


def test_full_filters_are_silent() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mel_weights(44100, 2048, 64)


@pytest.mark.parametrize(
    ("change", "key"),
    [({"f_max": 8001.0}, "f_max"), ({"f_min": 8000.0}, "f_min"), ({"n_mels": 0}, "n_mels"), ({"n_fft": 0}, "n_fft")],
)
def test_impossible_filters_are_refused(change: dict[str, Any], key: str) -> None:
    with pytest.raises(ParameterError) as caught:
        mel_weights(**{"sample_rate": 16000, "n_fft": 512, "n_mels": 40, **change})
    assert [fault.key for fault in caught.value.faults] == [key]
