from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.signal import welch
from torch import Tensor

from specconv.errors import ParameterError
from specconv.layers.noise import Color, Noise, NoiseParameters

DECIBELS_AN_OCTAVE: dict[Color, float] = {
    "white": 0,
    "pink": -3.01,
    "brown": -6.02,
    "blue": 3.01,
    "violet": 6.02,
}
every_color = pytest.mark.parametrize("color", list(DECIBELS_AN_OCTAVE))


def noise(layer: Noise, *shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    torch.manual_seed(seed)
    return layer.train()(torch.zeros(shape, dtype=dtype))


@every_color
def test_its_power_is_what_was_asked_for(color: Color) -> None:
    n = noise(Noise(0.3, color), 400, 2048)
    assert n.square().mean().sqrt().item() == pytest.approx(0.3, rel=0.03)
    assert n.mean().item() == pytest.approx(0.0, abs=0.02)


@every_color
def test_its_spectrum_slopes_as_its_color(color: Color) -> None:
    n = noise(Noise(1.0, color), 200, 4096).numpy()
    frequency, density = welch(n, nperseg=1024, window="blackmanharris")
    density, inner = density.mean(axis=0), slice(10, 400)
    slope, _ = np.polyfit(np.log2(frequency[inner]), 10 * np.log10(density[inner]), 1)
    assert slope == pytest.approx(DECIBELS_AN_OCTAVE[color], abs=0.15)


@every_color
@pytest.mark.parametrize("length", [1, 2, 3, 4, 17, 100])
def test_short_and_odd_lengths_have_the_same_power(color: Color, length: int) -> None:
    n = noise(Noise(1.0, color), 20_000, length)
    assert n.shape == (20_000, length)
    assert n.square().mean().item() == pytest.approx(1.0, rel=0.06)


def test_white_noise_is_gaussian_and_uncorrelated() -> None:
    n = noise(Noise(1.0), 1, 200_000)[0]
    assert n.pow(4).mean().item() == pytest.approx(3.0, abs=0.1)
    assert (n[1:] * n[:-1]).mean().item() == pytest.approx(0.0, abs=0.01)


def test_evaluation_hears_none() -> None:
    x = torch.randn(2, 3, 10)
    assert Noise(1.0).eval()(x) is x
    assert not torch.equal(Noise(1.0).train()(x), x)


def test_it_is_added() -> None:
    x = torch.randn(2, 3, 10, dtype=torch.float64)
    torch.manual_seed(0)
    torch.testing.assert_close(Noise(0.5).train()(x) - x, noise(Noise(0.5), 2, 3, 10))


def test_gains_are_uniform_and_each_clips_own() -> None:
    n = noise(Noise(2.0, "white", random_gain=True), 2000, 2, 500)
    gains = n.square().mean(dim=(1, 2)).sqrt().sort().values / 2.0
    expected = torch.linspace(0, 1, 2000, dtype=torch.float64)
    assert (gains - expected).abs().max() < 0.06
    channels = n.square().mean(dim=2).sqrt()
    assert (channels[:, 0] / channels[:, 1]).log().abs().max() < 0.3  # one gain for both


@every_color
def test_a_generator_makes_it_repeatable(color: Color) -> None:
    x = torch.zeros(2, 64)
    layer = Noise(1.0, color, random_gain=True, generator=torch.Generator().manual_seed(3)).train()
    first, second = layer(x), layer(x)
    assert not torch.equal(first, second)
    torch.manual_seed(99)
    layer.generator = torch.Generator().manual_seed(3)
    assert torch.equal(layer(x), first)
    assert torch.equal(layer(x), second)


def test_clips_and_channels_get_noise_of_their_own() -> None:
    n = noise(Noise(1.0, "pink"), 2, 2, 4096).reshape(4, -1)
    correlation = np.corrcoef(n)
    assert np.abs(correlation - np.eye(4)).max() < 0.3


def test_gradients_pass_unchanged() -> None:
    x = torch.randn(2, 8, requires_grad=True)
    Noise(1.0, "pink", random_gain=True).train()(x).sum().backward()
    assert x.grad is not None
    assert (x.grad == 1).all()


def test_waveforms_of_integers_are_refused() -> None:
    with pytest.raises(ParameterError, match="int16"):
        Noise().train()(torch.zeros(1, 8, dtype=torch.int16))


def test_a_copy_makes_the_same_noise() -> None:
    layer = Noise(1.0, "brown")
    assert torch.equal(noise(layer, 1, 32), noise(copy.deepcopy(layer), 1, 32))


@pytest.mark.parametrize("wrong", [{"power": -0.1}, {"color": "grey"}, {"random_gain": "perhaps"}])
def test_impossible_values_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        NoiseParameters.model_validate(wrong)
