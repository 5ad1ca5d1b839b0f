"""What holds for every layer, whichever it is."""

from __future__ import annotations

import copy
import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from pydantic import ValidationError
from torch import Tensor

import specconv.layers
from specconv.errors import ParameterError
from specconv.layers import LAYERS
from specconv.layers.base import ClipLayer, Layer, LayerParameters, SpecgramInfo

N_BINS = 33
SOURCE = SpecgramInfo(N_BINS, 16000.0, 32, np.arange(N_BINS) * 16000.0 / 64, "power")

CONFIGS = [
    "{layer: decibel}",
    "{layer: decibel, of: magnitude, parity: librosa}",
    "{layer: decibel, reference: max, top_db: 30}",
    "{layer: normalization, over: freq}",
    "{layer: normalization, over: time}",
    "{layer: normalization, over: channel}",
    "{layer: normalization, over: clip}",
    "{layer: normalization, over: batch}",
    "{layer: normalization, over: freq, across: batch}",
    "{layer: noise, power: 0.2, color: pink, random_gain: true}",
    "{layer: filterbank, n_filters: 8, init: mel}",
    "{layer: filterbank, n_filters: 8, init: random, trainable: true}",
    "{layer: delta, win_length: 5, order: 2}",
    "{layer: delta, win_length: 9, mode: symmetric}",
    "{layer: spec_augment, time_mask_param: 10, freq_mask_param: 8}",
]
every_layer = pytest.mark.parametrize("config", CONFIGS)


def parameters_of(config: str) -> LayerParameters:
    given = yaml.safe_load(config)
    return LAYERS[given["layer"]].model_validate(given)


def build(config: str) -> Layer:
    return parameters_of(config).build(SOURCE).eval()


def powers(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (10 ** (4 * torch.rand(shape, generator=generator, dtype=torch.float64) - 3)).to(dtype)


def test_the_table_names_every_module_and_this_file_tries_them() -> None:
    modules = {path.stem for path in Path(specconv.layers.__path__[0]).glob("*.py")} - {"__init__", "base"}
    assert modules == set(LAYERS) == {yaml.safe_load(config)["layer"] for config in CONFIGS}
    assert all(LAYERS[name].model_fields["layer"].default == name for name in LAYERS)


@every_layer
def test_resolved_parameters_say_the_same_again(config: str) -> None:
    parameters = parameters_of(config)
    assert type(parameters).model_validate_json(parameters.model_dump_json()) == parameters


@every_layer
def test_unknown_keys_are_refused(config: str) -> None:
    with pytest.raises(ValidationError, match="surprise"):
        parameters_of(config[:-1] + ", surprise: 1}")


@every_layer
def test_parameters_and_module_agree_on_scope(config: str) -> None:
    assert parameters_of(config).scope == build(config).scope


@every_layer
def test_what_comes_out_is_what_was_announced(config: str) -> None:
    parameters = parameters_of(config)
    info = parameters.output(SOURCE)
    out = parameters.build(SOURCE).eval()(powers(2, N_BINS, 12))
    assert out.shape == (2, info.n_bins, 12)
    assert info.center_frequencies.shape == (info.n_bins,)
    assert (info.sample_rate, info.hop_length) == (SOURCE.sample_rate, SOURCE.hop_length)
    assert out.isfinite().all()


@every_layer
def test_the_input_is_left_alone(config: str) -> None:
    specgram = powers(2, N_BINS, 12)
    before = specgram.clone()
    build(config).train()(specgram)
    assert torch.equal(specgram, before)


@every_layer
def test_a_clip_does_not_depend_on_its_neighbours(config: str) -> None:
    layer = build(config)
    loud, quiet = 1000 * powers(1, N_BINS, 20, seed=1), powers(1, N_BINS, 20, seed=2)
    together = layer(torch.cat([loud, quiet]))[1:]
    if layer.scope == "batch":
        assert not torch.allclose(together, layer(quiet))
    else:
        torch.testing.assert_close(together, layer(quiet), rtol=1e-6, atol=1e-6)


@every_layer
def test_one_channel_is_no_channel(config: str) -> None:
    layer, specgram = build(config), powers(3, N_BINS, 20)
    with_channel = layer(specgram[:, None])
    assert with_channel.shape[:2] == (3, 1)
    torch.testing.assert_close(with_channel[:, 0], layer(specgram), rtol=1e-6, atol=1e-6)


@every_layer
def test_two_channels_go_through(config: str) -> None:
    n_out = parameters_of(config).output(SOURCE).n_bins
    assert build(config)(powers(3, 2, N_BINS, 20)).shape == (3, 2, n_out, 20)


@every_layer
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("training", [False, True])
def test_half_precision_keeps_its_type(config: str, dtype: torch.dtype, training: bool) -> None:
    layer, specgram = build(config), powers(2, N_BINS, 20, dtype=dtype)
    torch.manual_seed(0)
    out = layer.train(training)(specgram)
    torch.manual_seed(0)
    exact = layer(specgram.float())
    assert out.dtype == dtype
    # Half a unit in the last place of the result; a filterbank also rounds its weights and products.
    unit = torch.finfo(dtype).eps
    torch.testing.assert_close(out.float(), exact, rtol=2 * unit, atol=2 * unit * exact.detach().abs().max().item())


@every_layer
def test_float64_stays_float64(config: str) -> None:
    assert build(config).train()(powers(2, N_BINS, 20, dtype=torch.float64)).dtype == torch.float64


@every_layer
def test_silence_is_finite_and_so_are_its_gradients(config: str) -> None:
    silence = torch.zeros(2, N_BINS, 20, requires_grad=True)
    layer = build(config).train()
    out = layer(silence)
    out.sum().backward()
    assert out.isfinite().all()
    assert silence.grad is not None
    assert silence.grad.isfinite().all()


@every_layer
def test_a_clip_without_frames_stays_without(config: str) -> None:
    n_out = parameters_of(config).output(SOURCE).n_bins
    assert build(config).train()(torch.zeros(2, N_BINS, 0)).shape == (2, n_out, 0)


@every_layer
def test_complex_values_are_refused(config: str) -> None:
    with pytest.raises(ParameterError, match="real floating-point"):
        build(config)(torch.zeros(1, N_BINS, 4, dtype=torch.complex64))


@pytest.mark.parametrize("config", [config for config in CONFIGS if "noise" not in config])
def test_a_specgram_without_batch_is_refused(config: str) -> None:
    with pytest.raises(ParameterError, match=r"not a shape of \(33, 4\)"):
        build(config)(torch.ones(N_BINS, 4))


@every_layer
def test_gradients_are_those_of_the_function(config: str) -> None:
    layer = build(config).double()
    specgram = powers(2, N_BINS, 6, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(layer, (specgram,), fast_mode=True)


@every_layer
def test_state_and_copies_carry_the_layer(config: str) -> None:
    layer, specgram = build(config), powers(2, N_BINS, 12)
    expected = layer(specgram)
    fresh = build(config)
    for value in fresh.state_dict().values():
        value.zero_()
    fresh.load_state_dict(layer.state_dict())
    for twin in (fresh, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(twin(specgram), expected)
    assert "=" in repr(layer)


@every_layer
def test_compile_takes_it_whole(config: str) -> None:
    for training in (False, True):
        layer = build(config).train(training)
        compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
        specgram = powers(2, N_BINS, 12)
        torch.manual_seed(0)
        expected = layer(specgram)
        torch.manual_seed(0)
        torch.testing.assert_close(compiled(specgram), expected)
    torch.compiler.reset()


@every_layer
def test_export_takes_it_with_any_batch_and_length(config: str) -> None:
    layer = build(config)
    dims = {0: torch.export.Dim("batch"), 2: torch.export.Dim("n_frames", min=8)}
    program = torch.export.export(layer, (powers(2, N_BINS, 12),), dynamic_shapes=(dims,)).module()
    longer = powers(5, N_BINS, 30)
    torch.testing.assert_close(program(longer), layer(longer))


@every_layer
def test_blocks_give_the_frames_of_the_whole(config: str) -> None:
    """A long recording: frames alone, or with context, or observed first and then adjusted."""
    layer = build(config)
    if layer.scope == "batch":
        pytest.skip("a batch is no recording")
    whole, edges = powers(2, N_BINS, 53), [0, 1, 9, 10, 30, 53]
    whole[0, :, 3:6] *= 100  # peaks in one of the first blocks, and in one of the last
    whole[1, :, 40] *= 100
    spans = list(itertools.pairwise(edges))
    if layer.scope == "clip":
        assert isinstance(layer, ClipLayer)
        statistics = None
        for first, last in spans:
            statistics = layer.observe(whole[..., first:last], statistics)
        blocks = [layer.adjust(whole[..., first:last], statistics) for first, last in spans]
    else:
        blocks = []
        for first, last in spans:
            before, after = min(layer.context, first), min(layer.context, 53 - last)
            out = layer(whole[..., first - before : last + after])
            blocks.append(out[..., before : before + last - first])
    torch.testing.assert_close(torch.cat(blocks, dim=-1), layer(whole), rtol=1e-5, atol=1e-5)
