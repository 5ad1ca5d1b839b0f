from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from specconv.layers.base import SpecgramInfo
from specconv.layers.normalization import Across, Normalization, NormalizationParameters, Over

AXES: dict[tuple[Over, Across], tuple[int, ...]] = {
    # of (batch, channel, n_bins, n_frames): taken together
    ("freq", "clip"): (1, 3),
    ("time", "clip"): (1, 2),
    ("channel", "clip"): (2, 3),
    ("clip", "clip"): (1, 2, 3),
    ("freq", "batch"): (0, 1, 3),
    ("time", "batch"): (0, 1, 2),
    ("channel", "batch"): (0, 2, 3),
    ("batch", "batch"): (0, 1, 2, 3),
}
every_way = pytest.mark.parametrize(("over", "across"), list(AXES))


def definition(x: NDArray[np.float64], axes: tuple[int, ...], eps: float = 1e-10) -> NDArray[np.float64]:
    return (x - x.mean(axis=axes, keepdims=True)) / (x.std(axis=axes, keepdims=True) + eps)


def specgrams(*shape: int) -> NDArray[np.float64]:
    """Every bin, frame, channel and clip at a level and deviation of its own."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    for axis in range(len(shape)):
        own = [size if i == axis else 1 for i, size in enumerate(shape)]
        x = x * rng.uniform(0.5, 2, own) + rng.normal(0, 3, own)
    return x


@every_way
def test_it_is_its_definition(over: Over, across: Across) -> None:
    x = specgrams(3, 2, 7, 11)
    ours = Normalization(over, across)(torch.tensor(x)).numpy()
    np.testing.assert_allclose(ours, definition(x, AXES[over, across]), rtol=1e-11, atol=1e-11)


@every_way
def test_without_channels(over: Over, across: Across) -> None:
    x = specgrams(3, 7, 11)
    axes = tuple(axis - (axis > 1) for axis in AXES[over, across] if axis != 1)
    ours = Normalization(over, across)(torch.tensor(x)).numpy()
    np.testing.assert_allclose(ours, definition(x, axes), rtol=1e-11, atol=1e-11)


@pytest.mark.parity
@pytest.mark.parametrize(("axis", "over"), list(enumerate(["clip", "channel", "freq", "time", "batch"])))
def test_parity_kapre_as_its_source_defines_it(axis: int, over: Over) -> None:
    """Normalization2D of 0.1.7, channels first: all axes but one, the batch's among them."""
    x = specgrams(3, 2, 7, 11)
    all_but_one = tuple(other for other in range(4) if other != axis)
    across: Across = "clip" if over == "clip" else "batch"
    ours = Normalization(over, across)(torch.tensor(x)).numpy()
    np.testing.assert_allclose(ours, definition(x, all_but_one), rtol=1e-11, atol=1e-11)


@every_way
def test_float32_is_as_exact_as_its_numbers(over: Over, across: Across) -> None:
    """A mean far from zero, as decibels have: -80 dB, deviation 0.5 dB."""
    x = (-80 + 0.5 * np.random.default_rng(1).standard_normal((4, 2, 64, 500))).astype(np.float32)
    ours = Normalization(over, across)(torch.tensor(x)).numpy()
    # -80 dB itself is known to 2**-18 dB, which is 8e-6 deviations.
    np.testing.assert_allclose(ours, definition(x.astype(np.float64), AXES[over, across]), atol=1.6e-5)


@every_way
@pytest.mark.parametrize("level", [0.0, -100.0, 0.1, 1e-7, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_whatever_is_constant_becomes_zero(over: Over, across: Across, level: float, dtype: torch.dtype) -> None:
    x = torch.full((3, 1, 13, 1001), level, dtype=dtype, requires_grad=True)
    y = Normalization(over, across)(x)
    assert (y == 0).all()
    (gradient,) = torch.autograd.grad(y.square().sum() + y.sum(), x)
    assert (gradient == 0).all()


def test_a_silent_clip_among_others_stays_alone() -> None:
    x = torch.tensor(specgrams(3, 7, 11))
    x[1] = -100.0
    y = Normalization("clip")(x)
    assert (y[1] == 0).all()
    torch.testing.assert_close(y[[0, 2]].std(dim=(1, 2), correction=0), torch.ones(2, dtype=torch.float64))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.sampled_from(["freq", "channel", "clip"]))
@settings(max_examples=40, deadline=None)
def test_blocks_of_any_length_are_the_whole(lengths: list[int], over: Over) -> None:
    x = torch.tensor(specgrams(2, 2, 5, sum(lengths)))
    layer, statistics = Normalization(over), None
    for block in x.split(lengths, dim=-1):
        statistics = layer.observe(block, statistics)
    assert statistics is not None
    blocks = [layer.adjust(block, statistics) for block in x.split(lengths, dim=-1)]
    torch.testing.assert_close(torch.cat(blocks, dim=-1), layer(x), rtol=1e-9, atol=1e-9)


def test_an_hour_in_blocks_loses_nothing() -> None:
    """Two thousand float32 blocks at -80 dB: the merged moments do not drift."""
    rng = np.random.default_rng(2)
    x = torch.tensor(-80 + rng.standard_normal((1, 4, 64_000)), dtype=torch.float32)
    layer, statistics = Normalization("freq"), None
    for block in x.split(32, dim=-1):
        statistics = layer.observe(block, statistics)
    assert statistics is not None
    exact = x.double()
    np.testing.assert_allclose(statistics.mean[..., 0], exact.mean(-1), rtol=3e-8)
    deviation = (statistics.squares / statistics.n_values).sqrt()
    np.testing.assert_allclose(deviation[..., 0], exact.std(-1, correction=0), rtol=1e-6)


def test_units_and_scope_say_what_it_is() -> None:
    source = SpecgramInfo(7, 16000.0, 256, np.linspace(0, 8000, 7), "dB")
    scopes = {over: NormalizationParameters(over=over).scope for over in ("freq", "time", "channel", "clip", "batch")}
    assert scopes == {"freq": "clip", "time": "frame", "channel": "clip", "clip": "clip", "batch": "batch"}
    assert NormalizationParameters(over="time", across="batch").scope == "batch"
    assert NormalizationParameters(over="freq").output(source).units == "deviations"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({}, "over"),
        ({"over": "data_sample"}, "'clip'"),
        ({"over": "freq", "eps": 0}, "eps"),
        ({"over": "clip", "across": "batch"}, "across: batch contradicts over: clip"),
        ({"over": "batch", "across": "clip"}, "across: clip contradicts over: batch"),
    ],
)
def test_impossible_values_are_named(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        NormalizationParameters.model_validate(wrong)
