"""Every transform on a GPU that is not there: nothing mixed, nothing waited for, the numbers of the CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from pretend_gpu import OnGpu, PretendGpu, on_gpu

import specconv
from specconv.pipeline import converter
from specconv.transforms import TransformSet, build_inverse, build_transform
from specconv.transforms.streaming import shortest_stream, stream

RATE = 16_000
FRAMES = {"n_fft": 256, "hop_length": 64}
TYPES: dict[str, dict[str, Any]] = {
    "stft": {"type": "stft", **FRAMES},
    "log stft": {"type": "stft", **FRAMES, "freq_scale": "log"},
    "mel": {"type": "mel", **FRAMES, "n_mels": 20},
    "mfcc": {"type": "mfcc", **FRAMES, "n_mels": 20, "n_mfcc": 10},
    "cqt": {"type": "cqt", "n_bins": 24, "f_min": 200.0, "hop_length": 64},
    "vqt": {"type": "vqt", "n_bins": 24, "f_min": 200.0, "hop_length": 64},
    "gammatone": {"type": "gammatone", "n_bins": 16, "hop_length": 64, "f_min": 100.0},
    "gammatonegram": {"type": "gammatonegram", **FRAMES, "n_bins": 16},
    "cfp": {"type": "cfp", "n_fft": 1024, "hop_length": 160, "f_min": 100.0},
}
LAYERS: dict[str, list[dict[str, Any]]] = {
    "normalization": [{"layer": "normalization", "over": "freq"}],
    "decibel": [{"layer": "decibel", "of": "magnitude", "top_db": 60.0}],
    "delta": [{"layer": "delta", "mode": "reflect"}],
    "filterbank": [{"layer": "filterbank", "n_filters": 6, "init": "random"}],
    "noise": [{"layer": "noise", "color": "pink", "random_gain": True}],
    "spec_augment": [{"layer": "spec_augment", "time_mask_param": 4, "freq_mask_param": 4}],
}
LAYERS["filterbank after"] = [*LAYERS["normalization"], *LAYERS["filterbank"]]
PRECISE = {"cfp": torch.float64}  # whose powers below one magnify the rounding of what is nearly zero
NOISE = torch.randn(3, 6000, generator=torch.Generator().manual_seed(0))
RAGGED = [6000, 4000, 30]


def agree(found: torch.Tensor, expected: torch.Tensor, bound: float = 1e-5) -> None:
    assert isinstance(found, OnGpu)
    expected = expected.detach()
    torch.testing.assert_close(found.detach().held, expected, rtol=0, atol=bound * float(expected.abs().max()))


def check(
    given: dict[str, Any],
    engine: Any,
    lengths: list[int] | None,
    bound: float = 1e-5,
    dtype: torch.dtype = torch.float32,
) -> None:
    noise = NOISE.to(dtype)
    expected = build_transform(given, RATE, engine=engine).eval()(noise, lengths)
    transform = build_transform(given, RATE, engine=engine).eval()
    with PretendGpu():
        agree(transform.to("cuda")(on_gpu(noise), lengths), expected, bound)
    with PretendGpu() as seen:  # once warm nothing goes over the bus, and a CUDA graph could hold it
        transform(on_gpu(noise), lengths)
    assert not seen.waits
    assert lengths or not seen.uploads


@pytest.mark.parametrize("lengths", [None, RAGGED], ids=["equal", "ragged"])
@pytest.mark.parametrize("engine", ["fft", "conv1d"])
@pytest.mark.parametrize("name", TYPES)
def test_the_numbers_are_those_of_the_cpu(name: str, engine: Any, lengths: Any) -> None:
    check(TYPES[name], engine, lengths, dtype=PRECISE.get(name, torch.float32))


@pytest.mark.parametrize("lengths", [None, RAGGED], ids=["equal", "ragged"])
@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("name", ["stft", "cqt"])
def test_so_are_those_after_every_layer(name: str, layers: str, lengths: Any) -> None:
    check({**TYPES[name], "then": LAYERS[layers]}, "fft", lengths, 1e-4)


@pytest.mark.parametrize("scale", ["power", "decibel", "log", "complex", "phase"])
@pytest.mark.parametrize("name", [name for name in TYPES if name not in ("mfcc", "cfp")])
def test_so_are_those_of_every_scale(name: str, scale: str) -> None:
    if scale in ("complex", "phase") and TYPES[name]["type"] in ("mel", "gammatonegram"):
        pytest.skip("has none")
    check({**TYPES[name], "scale": scale}, "fft", None, {"phase": 3.0, "decibel": 1e-4, "log": 1e-4}.get(scale, 1e-5))


@pytest.mark.parametrize("name", TYPES)
def test_gradients_are_those_of_the_cpu(name: str) -> None:
    noise = NOISE.to(PRECISE.get(name, torch.float32))

    def gradients(move: Callable[[Any], Any]) -> list[torch.Tensor]:
        transform, waveforms = move(build_transform(TYPES[name], RATE, trainable=True)), move(noise.clone())
        transform(waveforms.requires_grad_()).square().mean().backward()
        return [waveforms.grad, *(p.grad for p in transform.parameters())]

    expected = gradients(lambda it: it)
    with PretendGpu() as seen:
        found = gradients(lambda it: on_gpu(it) if isinstance(it, torch.Tensor) else it.to("cuda"))
    assert not seen.waits
    for gradient, wanted in zip(found, expected, strict=True):
        agree(gradient, wanted, 1e-4)


def test_a_set_shares_its_fronts() -> None:
    def made() -> TransformSet:
        names = [name for name in TYPES if name not in ("log stft", "cfp")]
        return TransformSet([build_transform({**TYPES[name], "name": name}, RATE) for name in names])

    expected = made()(NOISE)
    with PretendGpu():
        for name, values in made().to("cuda")(on_gpu(NOISE)).items():
            agree(values, expected[name])


@pytest.mark.parametrize("given", [{"scale": "complex"}, {}, {"scale": "power"}, {"type": "cqt"}], ids=str)
def test_inverses(given: dict[str, Any]) -> None:
    given = {**TYPES["cqt"], "scale": "complex"} if "type" in given else {**TYPES["stft"], **given}
    transform = build_transform(given, RATE)
    specgram = transform(NOISE)
    wanted = build_inverse(transform)(specgram, 6000)
    with PretendGpu():
        agree(build_inverse(build_transform(given, RATE)).to("cuda")(on_gpu(specgram), 6000), wanted, 1e-3)


@pytest.mark.parametrize("name", ["mel", "cqt", "gammatone"])
@pytest.mark.parametrize("engine", ["fft", "conv1d"])
def test_products_are_full_float32_whatever_a_user_has_set(
    name: str, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, cuda = set(), torch.backends.cuda.matmul
    real = torch.matmul
    monkeypatch.setattr(torch, "matmul", lambda *args: (used.add(cuda.fp32_precision), real(*args))[1])
    try:
        torch.backends.fp32_precision = "tf32"  # type: ignore[attr-defined]
        with PretendGpu() as seen:
            waveforms = on_gpu(NOISE).requires_grad_()
            trainable = engine == "conv1d"
            transform = build_transform(TYPES[name], RATE, engine=engine, trainable=trainable).to("cuda")
            transform(waveforms).square().mean().backward()
        assert cuda.fp32_precision == "tf32"
    finally:
        torch.backends.fp32_precision = "none"  # type: ignore[attr-defined]
    assert used == {"ieee"}
    assert not [launched for launched, _ in seen.launches if "conv" in launched]  # cuDNN's would be in TF32


@pytest.mark.parametrize("layers", ["normalization", "decibel", "delta", "filterbank after"])
@pytest.mark.parametrize("name", ["stft", "cqt"])
def test_a_stream_is_the_whole(name: str, layers: str, tmp_path: Path) -> None:
    given = {**TYPES[name], "name": "it", "then": LAYERS[layers]}
    transform = build_transform(given, RATE).eval()
    waveform = torch.randn(max(20_000, shortest_stream([transform])), generator=torch.Generator().manual_seed(1))
    expected = transform(waveform)
    with PretendGpu(), torch.no_grad():
        blocks = (on_gpu(block) for block in waveform.split(7000))
        parts = [part["it"] for part in stream([transform.to("cuda")], blocks, tmp_path)]
        agree(torch.cat(parts, dim=1), expected, 1e-4)


JOB: dict[str, Any] = {
    "audio": {"sample_rate": RATE},
    "transforms": [
        {"type": "stft", **FRAMES, "name": "layered", "then": LAYERS["filterbank after"]},
        {**TYPES["mel"], "scale": "decibel", "top_db": 60.0},
        TYPES["cqt"],
    ],
}
CUFFT = "cuFFT error: CUFFT_INTERNAL_ERROR"


def values_of(out: Path) -> dict[str, list[Any]]:
    shards = {name: specconv.ShardDataset(out, name) for name in ("layered", "mel", "cqt")}
    return {name: [data[i][0] for i in range(len(data))] for name, data in shards.items()}


@pytest.mark.parametrize(("limit", "said"), [(None, ""), (3 * 2**20, CUFFT)], ids=["enough memory", "too little"])
def test_a_conversion_is_that_of_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int | None, said: str
) -> None:
    """Clips in batches, and one so long that it streams."""
    (tmp_path / "audio").mkdir()
    generator = torch.Generator().manual_seed(2)
    for i, seconds in enumerate([1, 1, 1, 1, 1, 20]):
        samples = 0.1 * torch.randn(seconds * RATE, generator=generator)
        soundfile.write(tmp_path / "audio" / f"{i}.wav", samples.numpy(), RATE)
    monkeypatch.setattr(converter, "LONG_BYTES", 2**20)
    monkeypatch.setattr(converter, "_latest", None)
    expected = specconv.convert(tmp_path / "audio", JOB, tmp_path / "cpu")
    gpu, compute = PretendGpu(limit, said), converter.compute

    def compute_in_thread(*arguments: Any) -> Any:
        with gpu.in_this_thread():
            return compute(*arguments)

    monkeypatch.setattr(converter, "compute", compute_in_thread)
    with gpu as seen:
        report = specconv.convert(tmp_path / "audio", JOB, tmp_path / "gpu", device="cuda")
    assert (report.clips, report.failures) == (expected.clips, []) == (6, [])
    assert bool(seen.refused) == (limit is not None)
    assert seen.uploads
    wanted = values_of(tmp_path / "cpu")
    for name, clips in values_of(tmp_path / "gpu").items():
        for found, clip in zip(clips, wanted[name], strict=True):
            torch.testing.assert_close(found, clip, rtol=0, atol=1e-4 * float(clip.abs().max()))


def test_a_planted_fault_is_seen() -> None:
    with PretendGpu(), pytest.raises(RuntimeError, match="same device"):
        on_gpu(NOISE) + torch.zeros(6000)
    with PretendGpu(), pytest.raises(TypeError, match="numpy"):
        on_gpu(NOISE).numpy()
    with PretendGpu(limit=100), pytest.raises(RuntimeError, match="out of memory"):
        on_gpu(NOISE) + 1
    with PretendGpu() as seen:
        bool(on_gpu(NOISE).any())
    assert seen.waits == ["_local_scalar_dense"]
