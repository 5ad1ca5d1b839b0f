"""A module gives the same numbers wherever and however it was made: on the meta device, copied, stored, loaded."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from specconv.audio import Resampler
from specconv.transforms import Transform, build_inverse, build_transform

MEL: dict[str, Any] = {"type": "mel", "n_fft": 256, "n_mels": 20}
ENTRIES: dict[str, dict[str, Any]] = {
    "stft": {"type": "stft", "n_fft": 256},
    "stft log": {"type": "stft", "n_fft": 256, "freq_scale": "log", "f_min": 50.0, "n_bins": 30},
    "mel": {**MEL, "scale": "decibel", "top_db": 60.0},
    "mfcc": {**MEL, "type": "mfcc", "n_mfcc": 10},
    "cqt": {"type": "cqt", "n_bins": 24, "f_min": 200.0, "hop_length": 128, "scale": "complex"},
    "vqt": {"type": "vqt", "n_bins": 24, "f_min": 200.0},
    "gammatone": {"type": "gammatone", "n_bins": 10},
    "gammatonegram": {"type": "gammatonegram", "n_fft": 256, "n_bins": 10},
    "cfp": {"type": "cfp"},
    "decibel": {**MEL, "then": [{"layer": "decibel", "of": "magnitude"}]},
    "delta": {**MEL, "then": [{"layer": "delta"}]},
    "filterbank": {**MEL, "then": [{"layer": "filterbank", "n_filters": 6, "init": "random"}]},
    "normalization": {**MEL, "then": [{"layer": "normalization", "over": "freq"}]},
    "batch": {**MEL, "then": [{"layer": "normalization", "over": "batch"}]},
    "noise": {**MEL, "then": [{"layer": "noise", "power": 0.1}]},
    "spec_augment": {**MEL, "then": [{"layer": "spec_augment", "freq_mask_param": 3, "time_mask_param": 4}]},
}
CASES = [(name, engine, trainable) for name in ENTRIES for engine, trainable in
         (("fft", False), ("conv1d", False), ("conv1d", True))]  # fmt: skip
WAVEFORMS = torch.randn(2, 6000, generator=torch.Generator().manual_seed(0))


def loaded_on_meta(make: Callable[[], nn.Module], like: nn.Module) -> nn.Module:
    with torch.device("meta"):
        module = make()
    module = module.to_empty(device="cpu")
    module.load_state_dict(like.state_dict())
    return module.eval()


def assigned_on_meta(make: Callable[[], nn.Module], like: nn.Module) -> nn.Module:
    with torch.device("meta"):
        module = make()
    module.load_state_dict(like.state_dict(), assign=True)
    return module.eval()


def loaded(make: Callable[[], nn.Module], like: nn.Module) -> nn.Module:
    module = make()
    module.load_state_dict(like.state_dict())
    return module.eval()


def copied(_: Callable[[], nn.Module], like: nn.Module) -> nn.Module:
    return copy.deepcopy(like)


def pickled(_: Callable[[], nn.Module], like: nn.Module) -> nn.Module:
    restored: nn.Module = pickle.loads(pickle.dumps(like))
    return restored


def made_in_float64(make: Callable[[], nn.Module], _: nn.Module) -> nn.Module:
    torch.set_default_dtype(torch.float64)
    try:
        return make().eval()
    finally:
        torch.set_default_dtype(torch.float32)


WAYS = [loaded_on_meta, assigned_on_meta, loaded, copied, pickled, made_in_float64]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize(("name", "engine", "trainable"), CASES)
def test_a_transform(name: str, engine: Any, trainable: bool, way: Callable[..., nn.Module]) -> None:
    def make() -> Transform:
        return build_transform(ENTRIES[name], 8000, engine=engine, trainable=trainable).eval()

    like = make()
    expected = like(WAVEFORMS)
    assert torch.equal(way(make, like)(WAVEFORMS), expected)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("name", ["cqt", "stft", "complex"])
def test_an_inverse(name: str, way: Callable[..., nn.Module]) -> None:
    entry = {**ENTRIES["stft"], "scale": "complex"} if name == "complex" else ENTRIES[name]

    def make() -> nn.Module:
        return build_inverse(build_transform(entry, 8000))

    specgram, like = build_transform(entry, 8000)(WAVEFORMS), make()
    expected = like(specgram)
    assert torch.equal(way(make, like)(specgram), expected)


@pytest.mark.parametrize("name", ENTRIES)
def test_the_defaults_of_torch_change_no_number(name: str) -> None:
    def numbers() -> list[Tensor]:
        transform = build_transform(ENTRIES[name], 8000).eval()
        rows = transform(WAVEFORMS, [6000, 4000]) if name not in ("batch",) else transform(WAVEFORMS)
        inverse = [build_inverse(transform)(rows)] if name in ("cqt", "stft") else []
        return [rows, *inverse, Resampler(160, 441)(WAVEFORMS[0])]

    expected = numbers()
    torch.set_default_dtype(torch.float64)
    try:
        found = numbers()
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("name", ["stft", "mel", "cqt", "cfp"])
def test_a_default_device_where_nothing_lies_is_left_alone(name: str) -> None:
    transform = build_transform(ENTRIES[name], 8000).eval()
    expected = transform(WAVEFORMS, [6000, 4000])
    with torch.device("meta"):
        assert torch.equal(transform(WAVEFORMS, [6000, 4000]), expected)
        assert Resampler(160, 441)(WAVEFORMS[0]).device.type == "cpu"


@pytest.mark.parametrize("name", ["stft", "mel", "cfp", "cqt"])
def test_parameters_are_made_on_the_default_device(name: str) -> None:
    with torch.device("meta"):
        transform = build_transform(ENTRIES[name], 8000, trainable=True)
    assert {parameter.device.type for parameter in transform.parameters()} == {"meta"}
