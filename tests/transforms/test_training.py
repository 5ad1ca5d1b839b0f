"""Every type with parameters: gradients in float64, learning, and a state that comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from specconv.transforms import TYPES, Transform, build_transform

RATE = 8000
SMALL: Mapping[str, Mapping[str, Any]] = {
    "stft": {"type": "stft", "n_fft": 12, "hop_length": 5},
    "log stft": {"type": "stft", "n_fft": 16, "hop_length": 6, "freq_scale": "log", "n_bins": 5},
    "mel": {"type": "mel", "n_fft": 16, "hop_length": 7, "n_mels": 3},
    "mfcc": {"type": "mfcc", "n_fft": 16, "hop_length": 7, "n_mels": 3, "n_mfcc": 2},
    "gammatonegram": {"type": "gammatonegram", "n_fft": 16, "hop_length": 7, "n_bins": 3, "f_min": 500.0},
    "cqt": {"type": "cqt", "f_min": 1000.0, "n_bins": 3, "bins_per_octave": 3, "hop_length": 9},
    "vqt": {"type": "vqt", "f_min": 1000.0, "n_bins": 3, "bins_per_octave": 3, "hop_length": 9, "scale": "decibel"},
    "gammatone": {"type": "gammatone", "f_min": 2000.0, "n_bins": 2, "hop_length": 11},
    "cfp": {"type": "cfp", "n_fft": 32, "hop_length": 20, "f_min": 600.0, "f_max": 2500.0, "bins_per_octave": 4},
}
every_type = pytest.mark.parametrize("name", SMALL)


def trainable(name: str) -> Transform:
    return build_transform(SMALL[name], RATE, trainable=True)


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) * 2 - 1


def disturb(transform: Transform, by: float) -> None:
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for values in transform.parameters():
            values += by * values.abs().max() * torch.randn(values.shape, generator=generator)


def test_every_type_is_tried() -> None:
    assert {given["type"] for given in SMALL.values()} == set(TYPES)


@every_type
def test_gradients_in_waveforms_and_parameters(name: str) -> None:
    transform = trainable(name).double()
    names, values = zip(*transform.named_parameters(), strict=True)

    def of(waveforms: Tensor, *values: Tensor) -> Tensor:
        result: Tensor = torch.func.functional_call(transform, dict(zip(names, values, strict=True)), (waveforms,))
        return result

    leaves = [value.detach().clone().requires_grad_() for value in values]
    waveforms = noise(2, 45, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(of, (waveforms, *leaves), eps=1e-7, atol=1e-4, fast_mode=name == "gammatone")


@every_type
def test_a_wrong_kernel_learns_the_right_one(name: str) -> None:
    right, learner = build_transform(SMALL[name], RATE), trainable(name)
    disturb(learner, 0.05)
    waveforms = noise(32, 200, seed=1)
    wanted = right(waveforms)
    groups = [{"params": [p], "lr": 3e-3 * float(p.detach().abs().max())} for p in learner.parameters()]
    optimizer = torch.optim.Adam(groups)
    losses = []
    for _ in range(300):
        optimizer.zero_grad()
        loss = (learner(waveforms) - wanted).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 10


@every_type
def test_a_state_brings_back_what_was_learnt(name: str) -> None:
    learnt, other = trainable(name), trainable(name)
    disturb(learnt, 0.1)
    waveforms = noise(2, 300)
    assert not torch.equal(other(waveforms), learnt(waveforms))
    other.load_state_dict(learnt.state_dict())
    assert torch.equal(other(waveforms), learnt(waveforms))
    assert set(learnt.state_dict()) == {name for name, _ in learnt.named_parameters()}


@every_type
def test_fixed_transforms_have_no_state(name: str) -> None:
    for engine in ("fft", "conv1d"):
        fixed = build_transform(SMALL[name], RATE, engine=engine)
        assert not list(fixed.parameters())
        assert not fixed.state_dict()


SCALES = ("magnitude", "power", "decibel", "log", "complex", "phase")


@pytest.mark.parametrize("engine", ["fft", "conv1d", "trainable"])
@pytest.mark.parametrize("scale", SCALES)
@every_type
def test_silence_is_finite_and_so_are_its_gradients(name: str, scale: str, engine: Any) -> None:
    given = {**SMALL[name], "scale": scale}
    if scale not in allowed(name):
        pytest.skip(f"{name} has no scale {scale}")
    if engine == "trainable":
        transform = build_transform(given, RATE, trainable=True)
    else:
        transform = build_transform(given, RATE, engine=engine)
    waveforms = torch.stack([torch.zeros(200), noise(200)]).requires_grad_()
    assert transform(waveforms.detach()).isfinite().all()
    values = transform(waveforms)
    assert values.isfinite().all()
    (torch.view_as_real(values) if values.is_complex() else values).sum().backward()
    assert waveforms.grad is not None
    assert waveforms.grad.isfinite().all()
    for value in transform.parameters():
        assert value.grad is not None
        assert value.grad.isfinite().all()


def allowed(name: str) -> set[str]:
    schema = TYPES[SMALL[name]["type"]].model_json_schema()["properties"]["scale"]
    return set(schema.get("enum", ()))
