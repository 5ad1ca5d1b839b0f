from __future__ import annotations

import numpy as np
import pytest
import torch
import torchaudio
from pydantic import ValidationError
from torch import Tensor

from specconv.errors import ParameterError
from specconv.layers.base import SpecgramInfo
from specconv.layers.spec_augment import SpecAugment, SpecAugmentParameters


def hidden_in(layer: SpecAugment, *shape: int) -> Tensor:
    """Where the layer hid something."""
    layer.zero_masking = True
    return layer.train()(torch.ones(shape)) == 0


def specgrams(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parity
@pytest.mark.parametrize("p", [1.0, 0.5, 0.2, 0.0])
@pytest.mark.parametrize("shape", [(6, 40, 100), (3, 2, 40, 100)])
@pytest.mark.parametrize("longest", [(0, 15), (30, 0), (30, 15), (500, 60)])
def test_parity_torchaudio_draw_by_draw(p: float, shape: tuple[int, ...], longest: tuple[int, int]) -> None:
    theirs = torchaudio.transforms.SpecAugment(2, longest[0], 3, longest[1], p=p, zero_masking=True)
    ours = SpecAugment(2, longest[0], 3, longest[1], p, zero_masking=True).train()
    x = specgrams(*shape)
    torch.manual_seed(5)
    expected = theirs(x)
    torch.manual_seed(5)
    assert torch.equal(ours(x), expected)


@pytest.mark.parity
def test_a_lone_clip_is_hidden_under_the_mean_torchaudio_takes() -> None:
    x = specgrams(1, 40, 100)
    torch.manual_seed(5)
    expected = torchaudio.transforms.SpecAugment(2, 30, 2, 15)(x)
    torch.manual_seed(5)
    torch.testing.assert_close(SpecAugment(2, 30, 2, 15).train()(x), expected)


def test_each_clip_is_hidden_under_its_own_mean() -> None:
    x = specgrams(3, 40, 100) + torch.tensor([0.0, 50.0, -100.0])[:, None, None]
    torch.manual_seed(0)
    y = SpecAugment(1, 30, 1, 15).train()(x)
    for before, after in zip(x, y, strict=True):
        covered = after[after != before]
        torch.testing.assert_close(covered, before.mean().expand_as(covered))


def test_evaluation_sees_everything() -> None:
    x = specgrams(2, 40, 100)
    assert SpecAugment(2, 30, 2, 15).eval()(x) is x


def test_masks_are_bands_across_the_other_axis_and_no_longer_than_asked() -> None:
    in_time = hidden_in(SpecAugment(1, 30, 0, 0), 500, 10, 100)
    assert torch.equal(in_time.all(dim=1), in_time.any(dim=1))
    lengths = in_time[:, 0].sum(dim=-1)
    assert 25 <= lengths.max() < 30
    edges = in_time[:, 0].int().diff(dim=-1, prepend=torch.zeros(500, 1, dtype=torch.int32)) == 1
    assert edges.sum(dim=-1).max() == 1
    in_freq = hidden_in(SpecAugment(0, 0, 1, 8), 500, 40, 10)
    assert torch.equal(in_freq.all(dim=2), in_freq.any(dim=2))
    assert in_freq[..., 0].sum(dim=-1).max() == 7


def test_lengths_are_uniform_and_every_clip_has_its_own() -> None:
    lengths = hidden_in(SpecAugment(1, 20, 0, 0), 20_000, 1, 200)[:, 0].sum(dim=-1)
    share = torch.bincount(lengths, minlength=20) / len(lengths)
    torch.testing.assert_close(share, torch.full((20,), 0.05), atol=0.008, rtol=0)


def test_p_bounds_the_hidden_share() -> None:
    assert hidden_in(SpecAugment(1, 1000, 0, 0, p=0.25), 500, 1, 100).float().mean(dim=-1).max() < 0.25


def test_a_generator_makes_it_repeatable() -> None:
    x, layer = specgrams(4, 40, 100), SpecAugment(1, 30, 1, 15).train()
    layer.generator = torch.Generator().manual_seed(7)
    first = layer(x)
    torch.manual_seed(99)
    layer.generator = torch.Generator().manual_seed(7)
    assert torch.equal(layer(x), first)


def test_gradients_pass_where_nothing_is_hidden() -> None:
    x = specgrams(2, 40, 100).requires_grad_()
    layer = SpecAugment(1, 30, 1, 15, zero_masking=True).train()
    y = layer(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(gradient, (y != 0).float())


def test_more_bins_than_there_are_is_a_fault() -> None:
    source = SpecgramInfo(8, 16000.0, 256, np.zeros(8))
    with pytest.raises(ParameterError, match="freq_mask_param: 9 bins is more than the 8"):
        SpecAugmentParameters(time_mask_param=5, freq_mask_param=9).build(source)
    SpecAugmentParameters(time_mask_param=5, freq_mask_param=8).build(source)


@pytest.mark.parametrize("wrong", [{"p": 1.5}, {"n_time_masks": -1}, {"time_mask_param": -1}, {"freq_mask_param": "x"}])
def test_impossible_values_are_named(wrong: dict[str, object]) -> None:
    given: dict[str, object] = {"time_mask_param": 5, "freq_mask_param": 5, **wrong}
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        SpecAugmentParameters.model_validate(given)
