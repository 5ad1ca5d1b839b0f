"""Transforms as part of a compiled or an exported network.

What holds: ``torch.compile`` takes every transform; in one graph (``fullgraph=True``) all but the banks by the fft
engine, whose weights are built by NumPy and SciPy once the clip's length is known: they break the graph and run as
without it. ``torch.export`` takes every transform for the shape that it is given, its strict mode all but these banks;
with the sizes of batch and time left open it takes all but these banks, which engine conv1d is
for, and cfp by engine conv1d.
``torch.jit.trace``, which would keep the shape of its example, is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch

from specconv.errors import ParameterError
from specconv.transforms import TransformSet, build_transform

RATE = 8000
CASES: Mapping[str, Mapping[str, Any]] = {
    "stft": {"type": "stft", "n_fft": 64},
    "complex": {"type": "stft", "n_fft": 64, "scale": "complex"},
    "log stft": {"type": "stft", "n_fft": 64, "freq_scale": "log", "n_bins": 20},
    "mel": {"type": "mel", "n_fft": 128, "n_mels": 10, "scale": "decibel", "top_db": 60.0},
    "layered mel": {"type": "mel", "n_fft": 128, "n_mels": 10, "then": [{"layer": "normalization", "over": "freq"}]},
    "mfcc": {"type": "mfcc", "n_fft": 128, "n_mels": 10, "n_mfcc": 5},
    "cqt": {"type": "cqt", "n_bins": 12, "f_min": 400.0, "hop_length": 64},
    "cfp": {"type": "cfp", "n_fft": 256, "f_min": 300.0, "hop_length": 100},
    "gammatonegram": {"type": "gammatonegram", "n_fft": 128, "n_bins": 6},
    "filtered stft": {"type": "stft", "n_fft": 64, "then": [{"layer": "filterbank", "n_filters": 5}]},
    "gammatone": {"type": "gammatone", "n_bins": 6, "hop_length": 64, "f_min": 300.0},
}
FOLDED = [("cqt", "fft"), ("gammatone", "fft")]
ALL = [(name, engine) for name in CASES for engine in ("fft", "conv1d")]
ONE_GRAPH = [case for case in ALL if case not in FOLDED]
NOISE = torch.randn(2, 1000, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def same(found: torch.Tensor, expected: torch.Tensor) -> None:
    found, expected = found.detach(), expected.detach()
    assert found.dtype == expected.dtype
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-6 * float(expected.abs().max()))


@pytest.mark.parametrize(("name", "engine"), ONE_GRAPH)
def test_a_transform_compiles_into_one_graph(name: str, engine: Any) -> None:
    transform = build_transform(CASES[name], RATE, engine=engine)
    expected = transform(NOISE)
    compiled = torch.compile(transform, backend="aot_eager", fullgraph=True)
    same(compiled(NOISE), expected)
    assert torch.equal(transform(NOISE), expected)  # what was traced has left nothing behind


@pytest.mark.parametrize(("name", "engine"), FOLDED)
def test_a_folded_bank_compiles_around_its_weights(name: str, engine: Any) -> None:
    transform = build_transform(CASES[name], RATE, engine=engine)
    compiled = torch.compile(transform, backend="aot_eager")
    same(compiled(NOISE), build_transform(CASES[name], RATE, engine=engine)(NOISE))
    same(compiled(NOISE[:, :700]), transform(NOISE[:, :700]))


@pytest.mark.xfail(
    strict=True, raises=torch._dynamo.exc.Unsupported, reason="weights come from NumPy, outside any graph"
)
@pytest.mark.parametrize(("name", "engine"), FOLDED)
def test_a_folded_bank_compiles_into_one_graph(name: str, engine: Any) -> None:
    torch.compile(build_transform(CASES[name], RATE, engine=engine), backend="aot_eager", fullgraph=True)(NOISE)


def test_a_compiled_transform_takes_other_shapes() -> None:
    transform = build_transform(CASES["mel"], RATE)
    compiled = torch.compile(transform, backend="aot_eager", fullgraph=True)
    for clips, n_samples in ((2, 1000), (3, 1000), (1, 400), (5, 1777)):
        noise = torch.randn(clips, n_samples)
        same(compiled(noise), transform(noise))


def test_a_compiled_set_shares_its_fronts() -> None:
    transforms = TransformSet([build_transform({**CASES[n], "name": n[:4]}, RATE) for n in ("mel", "mfcc", "stft")])
    compiled = torch.compile(transforms, backend="aot_eager", fullgraph=True)
    found, expected = compiled(NOISE), transforms(NOISE)
    assert list(found) == list(expected)
    for key, values in expected.items():
        same(found[key], values)


@pytest.mark.parametrize("name", ["stft", "mel", "cqt"])
def test_compiled_kernels_learn_as_others_do(name: str) -> None:
    transform = build_transform(CASES[name], RATE, trainable=True)
    transform(NOISE).square().sum().backward()
    expected = [parameter.grad for parameter in transform.parameters()]
    transform.zero_grad()
    torch.compile(transform, backend="aot_eager", fullgraph=True)(NOISE).square().sum().backward()
    for parameter, gradient in zip(transform.parameters(), expected, strict=True):
        assert parameter.grad is not None
        assert gradient is not None
        same(parameter.grad, gradient)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(("name", "engine"), ALL)
def test_a_transform_is_exported_for_a_shape(
    name: str, engine: Any, strict: bool, request: pytest.FixtureRequest
) -> None:
    if strict and (name, engine) in FOLDED:
        request.applymarker(
            pytest.mark.xfail(strict=True, raises=torch._dynamo.exc.Unsupported, reason="weights come from NumPy")
        )
    transform = build_transform(CASES[name], RATE, engine=engine).eval()
    exported = torch.export.export(transform, (NOISE,), strict=strict).module()
    expected = build_transform(CASES[name], RATE, engine=engine)(NOISE)
    same(exported(NOISE), expected)
    same(exported(2 * NOISE.flip(1)), transform(2 * NOISE.flip(1)))
    assert torch.equal(transform(NOISE), expected)  # the transform itself holds no tensors of the export


def test_an_exported_transform_survives_its_file(tmp_path: Any) -> None:
    transform = build_transform(CASES["mel"], RATE, trainable=True).eval()
    torch.export.save(torch.export.export(transform, (NOISE,)), tmp_path / "mel.pt2")
    same(torch.export.load(tmp_path / "mel.pt2").module()(NOISE), transform(NOISE))


# torch 2.11 finds no stride for the spectra of cfp's conv1d that holds for every length; it says so.
OPEN_SHAPE = [case for case in ONE_GRAPH if case != ("cfp", "conv1d")]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(("name", "engine"), OPEN_SHAPE)
def test_a_transform_is_exported_for_every_shape(name: str, engine: Any, strict: bool) -> None:
    transform = build_transform(CASES[name], RATE, engine=engine).eval()
    shapes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("time", min=128)}  # more than one frame
    exported = torch.export.export(transform, (NOISE,), dynamic_shapes=(shapes,), strict=strict).module()
    for shape in ((2, 1000), (5, 1777), (1, 400), (3, 4096), (2, 130)):
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        expected, found = transform(noise), exported(noise)
        assert found.shape == expected.shape
        bound = 1e-3 if name == "cfp" else 2e-6  # its powers magnify the rounding of what is nearly zero
        torch.testing.assert_close(found, expected, rtol=0, atol=bound * float(expected.abs().max()))


@pytest.mark.parametrize("pad_mode", ["reflect", "constant", "replicate"])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("n_fft", [64, 65])
@pytest.mark.parametrize("engine", ["fft", "conv1d"])
def test_so_is_every_framing(engine: Any, n_fft: int, center: bool, pad_mode: str) -> None:
    given = {"type": "stft", "n_fft": n_fft, "hop_length": 20, "center": center, "pad_mode": pad_mode}
    transform = build_transform(given, RATE, engine=engine).eval()
    shapes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("time", min=100)}
    exported = torch.export.export(transform, (NOISE,), dynamic_shapes=(shapes,)).module()
    for n_samples in (100, 119, 120, 777):
        same(exported(NOISE[:, :n_samples]), transform(NOISE[:, :n_samples]))


@pytest.mark.parametrize(("name", "engine"), FOLDED)
def test_a_folded_bank_is_exported_for_one_shape_only(name: str, engine: Any) -> None:
    transform = build_transform(CASES[name], RATE, engine=engine).eval()
    shapes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("time", min=128)}
    with pytest.raises(ParameterError, match="engine conv1d"):
        torch.export.export(transform, (NOISE,), dynamic_shapes=(shapes,), strict=False)


def test_a_trace_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"torch\.export"):
        torch.jit.trace(build_transform(CASES["mel"], RATE), NOISE)


@pytest.mark.parametrize(("name", "engine"), [("stft", "fft"), ("mel", "conv1d"), ("mfcc", "fft"), ("cqt", "conv1d")])
def test_a_transform_compiles_for_every_shape(name: str, engine: Any) -> None:
    transform = build_transform(CASES[name], RATE, engine=engine)
    compiled = torch.compile(transform, backend="aot_eager", fullgraph=True, dynamic=True)
    for shape in ((2, 1000), (5, 1777), (1, 400)):
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        same(compiled(noise), transform(noise))
