"""Layers over long clips and whole batches, a stretch of frames at a time, give the numbers of the whole."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from specconv.transforms import Transform, TransformSet, build_transform, computing, layering
from specconv.transforms.streaming import stream

LAYERS: dict[str, list[dict[str, Any]]] = {
    "delta": [{"layer": "delta", "win_length": 9, "order": 2}],
    "decibel": [{"layer": "decibel", "reference": "max", "top_db": 60.0}],
    "over freq": [{"layer": "normalization", "over": "freq"}],
    "over time": [{"layer": "normalization", "over": "time"}],
    "over a clip": [{"layer": "normalization", "over": "clip"}],
    "over the batch": [{"layer": "normalization", "over": "batch"}],
    "a frame of the batch": [{"layer": "normalization", "over": "time", "across": "batch"}],
    "fewer bins": [{"layer": "normalization", "over": "freq"}, {"layer": "filterbank", "n_filters": 5}],
    "noise": [{"layer": "noise"}, {"layer": "delta"}],
    "several": [{"layer": "decibel"}, {"layer": "delta"}, {"layer": "normalization", "over": "channel"}],
}
NOISE = torch.randn(3, 8000, generator=torch.Generator().manual_seed(0))


def stft(layers: str, **given: Any) -> Transform:
    return build_transform({"type": "stft", "n_fft": 64, "then": LAYERS[layers], **given}, 8000).eval()


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame or two at a time, fewer than delta looks ahead."""
    monkeypatch.setattr(layering, "LAYERED_BYTES", 900)
    monkeypatch.setattr(computing, "LAYERED_BYTES", 900)


@pytest.mark.parametrize("lengths", [None, [8000, 100, 4321]])
@pytest.mark.parametrize("name", LAYERS)
def test_stretches_give_the_numbers_of_the_whole(
    name: str, lengths: list[int] | None, request: pytest.FixtureRequest
) -> None:
    if lengths and "batch" in name:
        pytest.skip("clips of a batch that is normalized as one have one length")
    transform = stft(name)
    whole = transform(NOISE, lengths)
    request.getfixturevalue("little_memory")
    with torch.no_grad():
        found = transform(NOISE, lengths)
    torch.testing.assert_close(found, whole, rtol=0, atol=2e-6 * float(whole.abs().max()))


@pytest.mark.usefixtures("little_memory")
def test_layers_overwrite_nobody_elses_numbers() -> None:
    """Two transforms that finish a lone block with the very same tensor."""
    plain = build_transform({"type": "stft", "n_fft": 64, "name": "plain"}, 8000)
    normalized = stft("over a clip", name="normalized")
    expected = plain(NOISE)
    for order in ([plain, normalized], [normalized, plain]):
        assert torch.equal(TransformSet(order)(NOISE)["plain"], expected)
    twice = TransformSet([plain, build_transform({"type": "stft", "n_fft": 64, "name": "again"}, 8000)])(NOISE)
    twice["plain"].zero_()
    assert torch.equal(twice["again"], expected)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("name", ["fewer bins", "over freq", "delta"])
def test_gradients_pass_as_they_do_through_the_whole(name: str) -> None:
    transform = stft(name)
    waveforms = NOISE.clone().requires_grad_()
    (found,) = torch.autograd.grad(transform(waveforms, [8000, 8000, 900]).square().sum(), waveforms)
    assert found.isfinite().all()
    assert found[0].any()


@pytest.mark.usefixtures("little_memory")
def test_random_masks_are_drawn_for_whole_clips_while_training() -> None:
    """A mask of time hides the same bins' frames throughout; drawn for stretches, it would hide some of each."""
    mask = {"layer": "spec_augment", "time_mask_param": 20, "freq_mask_param": 0, "zero_masking": True}
    transform = build_transform({"type": "stft", "n_fft": 64, "then": [mask]}, 8000).train()
    torch.manual_seed(1)
    hidden = (transform(NOISE) == 0).all(dim=1)
    assert (hidden.diff(dim=1).sum(dim=1) <= 2).all()
    assert hidden.any()
    assert not (transform.eval()(NOISE) == 0).all(dim=1).any()


def test_layers_that_know_a_frame_alone_do_not_wait_for_the_clip(tmp_path: Any) -> None:
    """They finish each block, as the transform's own scale does; nothing of a stream waits in a file."""
    alone = [{"layer": "decibel"}, {"layer": "normalization", "over": "time"}, {"layer": "filterbank", "n_filters": 4}]
    transform = build_transform({"type": "stft", "n_fft": 64, "then": alone}, 8000)
    assert not len(transform.clip_layers)
    assert transform.n_bins == transform.n_finished == 4
    whole = transform(NOISE[0])
    parts = [part["stft"] for part in stream([transform], NOISE[0].split(1500), tmp_path)]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=0, atol=1e-5)
    layered = build_transform({"type": "stft", "n_fft": 64, "then": [*alone[:1], *LAYERS["delta"], *alone[1:]]}, 8000)
    assert [type(layer).__name__ for layer in layered.clip_layers] == ["Delta", "Normalization", "Filterbank"]


def test_small_specgrams_go_through_whole() -> None:
    calls = 0

    class Counted(nn.Module):
        def forward(self, specgrams: torch.Tensor) -> torch.Tensor:
            nonlocal calls
            calls += 1
            return specgrams

    layering.through(nn.Sequential(Counted()), torch.zeros(2, 10, 100), [100] * 2)
    assert calls == 1
    layering.through(nn.Sequential(Counted()), torch.zeros(1, 1000, 4000), [4000])
    assert calls == 1 + 2
