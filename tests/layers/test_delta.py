from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
import torchaudio
from numpy.typing import NDArray
from pydantic import ValidationError

from specconv.layers.base import SpecgramInfo
from specconv.layers.delta import Delta, DeltaParameters, Mode

NUMPY_MODE = {"replicate": "edge", "symmetric": "symmetric", "reflect": "reflect", "constant": "constant"}
every_mode = pytest.mark.parametrize("mode", list(NUMPY_MODE))


def definition(x: NDArray[np.float64], win_length: int, mode: str) -> NDArray[np.float64]:
    """The least-squares slope through each window, by polynomial fit."""
    reach = win_length // 2
    padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(reach, reach)], mode=NUMPY_MODE[mode])  # type: ignore[call-overload]
    windows = np.lib.stride_tricks.sliding_window_view(padded, win_length, axis=-1)
    slopes, _ = np.polynomial.polynomial.polyfit(np.arange(win_length), windows.reshape(-1, win_length).T, 1)[1::-1]
    return slopes.reshape(x.shape)


def specgrams(*shape: int) -> NDArray[np.float64]:
    return np.random.default_rng(0).standard_normal(shape)


@every_mode
@pytest.mark.parametrize("win_length", [3, 5, 9, 21])
def test_it_is_the_slope_of_the_least_squares_line(win_length: int, mode: Mode) -> None:
    x = specgrams(2, 3, 30)
    ours = Delta(win_length, 1, mode)(torch.tensor(x)).numpy()
    np.testing.assert_allclose(ours, definition(x, win_length, mode), atol=1e-12)


@every_mode
def test_order_2_is_the_delta_of_the_delta(mode: Mode) -> None:
    x = specgrams(2, 3, 30)
    expected = definition(definition(x, 5, mode), 5, mode)
    np.testing.assert_allclose(Delta(5, 2, mode)(torch.tensor(x)), expected, atol=1e-12)


@every_mode
@pytest.mark.parametrize("win_length", [3, 5, 9])
@pytest.mark.parametrize("n_frames", [1, 2, 3, 4, 5, 8])
def test_clips_shorter_than_the_window(n_frames: int, win_length: int, mode: Mode) -> None:
    x = specgrams(1, 2, n_frames)
    ours = Delta(win_length, 1, mode)(torch.tensor(x)).numpy()
    np.testing.assert_allclose(ours, definition(x, win_length, mode), atol=1e-12)


def test_a_ramp_has_its_slope_and_a_constant_none() -> None:
    ramp = 0.25 * torch.arange(20.0).expand(1, 2, 20)
    assert torch.equal(Delta(5)(ramp)[..., 2:-2], torch.full((1, 2, 16), 0.25))
    assert (Delta(9)(torch.full((1, 2, 20), -73.3)) == 0).all()
    parabola = torch.arange(20.0, dtype=torch.float64).square().expand(1, 1, 20)
    second = Delta(5, 2)(parabola)[..., 4:-4]
    torch.testing.assert_close(second, torch.full_like(second, 2.0))


@pytest.mark.parity
@pytest.mark.parametrize("win_length", [3, 5, 9])
@pytest.mark.parametrize("mode", ["replicate", "reflect", "constant"])
def test_parity_torchaudio(win_length: int, mode: Mode) -> None:
    x = torch.tensor(specgrams(2, 2, 40, 50), dtype=torch.float32)
    theirs = torchaudio.functional.compute_deltas(x, win_length, mode)
    torch.testing.assert_close(Delta(win_length, 1, mode)(x), theirs, rtol=1e-5, atol=1e-6)
    twice = torchaudio.functional.compute_deltas(theirs, win_length, mode)
    torch.testing.assert_close(Delta(win_length, 2, mode)(x), twice, rtol=1e-5, atol=1e-6)


@pytest.mark.parity
@pytest.mark.parametrize("width", [3, 5, 9])
def test_parity_librosa_of_order_1(width: int) -> None:
    x = specgrams(4, 50)
    ours = Delta(width)(torch.tensor(x)[None])[0].numpy()
    np.testing.assert_allclose(ours, librosa.feature.delta(x, width=width, mode="nearest"), atol=1e-12)
    inner = slice(width // 2, -(width // 2))
    np.testing.assert_allclose(ours[:, inner], librosa.feature.delta(x, width=width)[:, inner], atol=1e-12)


def test_context_and_units_follow_order() -> None:
    source = SpecgramInfo(3, 16000.0, 256, np.zeros(3), "dB")
    assert Delta(9, 1).context == 4
    assert Delta(9, 2).context == 8
    assert DeltaParameters(order=1).output(source).units == "dB/frame"
    assert DeltaParameters(order=2).output(source).units == "dB/frame^2"


@pytest.mark.parametrize("wrong", [{"win_length": 1}, {"win_length": 4}, {"order": 3}, {"mode": "wrap"}])
def test_impossible_values_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        DeltaParameters.model_validate(wrong)
