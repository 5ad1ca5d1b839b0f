"""A clip's digits are the same alone and in any batch, padded or not, whole or streamed, on one core or several."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from specconv.transforms import Transform, build_transform
from specconv.transforms.streaming import shortest_stream, stream

RATE = 8000
TRANSFORMS: dict[str, dict[str, Any]] = {
    "stft": {"type": "stft", "n_fft": 256},
    "long stft": {"type": "stft", "n_fft": 20480, "hop_length": 5120},
    "log stft": {"type": "stft", "n_fft": 256, "freq_scale": "log", "n_bins": 40},
    "mel": {"type": "mel", "n_fft": 256, "n_mels": 20},
    "mel of a power": {"type": "mel", "n_fft": 256, "n_mels": 20, "power": 1.3},
    "mfcc": {"type": "mfcc", "n_fft": 256, "n_mels": 20, "n_mfcc": 13},
    "gammatonegram": {"type": "gammatonegram", "n_fft": 256, "n_bins": 20},
    "cqt": {"type": "cqt", "f_min": 65.4, "n_bins": 60, "hop_length": 128},
    "low cqt": {"type": "cqt", "f_min": 32.7, "n_bins": 24, "hop_length": 64},
    "one bin": {"type": "cqt", "f_min": 440.0, "n_bins": 1, "hop_length": 64},
    "two bins": {"type": "cqt", "f_min": 1000.0, "n_bins": 2, "hop_length": 256},
    "vqt": {"type": "vqt", "f_min": 65.4, "n_bins": 60, "hop_length": 128},
    "gammatone": {"type": "gammatone", "n_bins": 20, "hop_length": 64},
    "cfp": {"type": "cfp", "n_fft": 1024, "hop_length": 256},
    "conv1d stft": {"type": "stft", "n_fft": 128, "engine": "conv1d"},
    "conv1d mel": {"type": "mel", "n_fft": 128, "n_mels": 10, "engine": "conv1d"},
    "conv1d cqt": {"type": "cqt", "f_min": 110.0, "n_bins": 30, "hop_length": 128, "engine": "conv1d"},
    "conv1d gammatone": {"type": "gammatone", "n_bins": 10, "hop_length": 128, "engine": "conv1d"},
    "conv1d cfp": {"type": "cfp", "n_fft": 512, "hop_length": 256, "f_min": 200.0, "engine": "conv1d"},
}
SCALES = ("magnitude", "power", "decibel", "log", "complex", "phase")
LAYERS: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "over freq": [{"layer": "normalization", "over": "freq"}],
    "over time": [{"layer": "normalization", "over": "time"}],
    "over a clip": [{"layer": "normalization", "over": "clip"}],
    "delta": [{"layer": "delta", "order": 2}, {"layer": "normalization", "over": "freq"}],
    "filterbank": [{"layer": "filterbank", "n_filters": 1, "init": "random"}],
    "decibel": [{"layer": "decibel", "reference": "max", "top_db": 60.0}, {"layer": "delta"}],
}
NOISE = torch.randn(50, 9000, generator=torch.Generator().manual_seed(0)) * 0.1


def transform(name: str, scale: str, layers: str) -> Transform:
    given = {**TRANSFORMS[name], "scale": scale, "then": LAYERS[layers]}
    if scale == "decibel" and layers == "nothing":
        given["top_db"] = 50.0
    return build_transform(given, RATE).eval()


def cases() -> Iterator[tuple[str, str, str]]:
    for name, given in TRANSFORMS.items():
        scales = {"mel": SCALES[:4], "mfcc": SCALES[2:4], "gammatonegram": SCALES[:4], "cfp": ("magnitude", "decibel")}
        for scale in scales.get(given["type"], SCALES):
            if given.get("power") and scale == "magnitude":
                continue
            yield name, scale, "nothing"
        for layers in list(LAYERS)[1:]:
            yield name, "decibel" if layers != "decibel" else scales.get(given["type"], SCALES)[0], layers


@pytest.fixture
def cores() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("cores")
@pytest.mark.parametrize(("name", "scale", "layers"), list(cases()), ids=lambda part: part.replace(" ", "-"))
@torch.inference_mode()
def test_alone_in_a_batch_padded_and_on_several_cores(name: str, scale: str, layers: str) -> None:
    made = transform(name, scale, layers)
    lengths = [9000 - 517 * i for i in range(4)] + [1, 130]
    torch.set_num_threads(1)
    alone = made(NOISE[:1])
    for n_threads, sizes in ((1, (2, 7, 50)), (2, (1, 2, 7, 50))):
        torch.set_num_threads(n_threads)
        for size in sizes:
            found = made(NOISE[:size])
            assert torch.equal(found[:1], alone), (n_threads, size)
        others = [made(row[None, :n])[0] for row, n in zip(NOISE, lengths, strict=False)]
        padded = made(NOISE[: len(lengths)], lengths)
        for row, other in zip(padded, others, strict=True):
            assert torch.equal(row[:, : other.shape[1]], other), (n_threads, other.shape)
    torch.set_num_threads(1)
    assert torch.equal(made(NOISE[2:9])[3], made(NOISE[5])), "the place in the batch"


@pytest.mark.usefixtures("cores")
@pytest.mark.parametrize("name", TRANSFORMS)
@torch.inference_mode()
def test_a_stream_has_the_digits_of_the_whole(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specconv.transforms.layering.LAYERED_BYTES", 2**12)
    for layers in ("nothing", "over freq", "delta", "filterbank"):
        made = transform(name, "decibel", layers)
        n_samples = max(70_001, shortest_stream([made]))
        recording = torch.randn(n_samples, generator=torch.Generator().manual_seed(1))
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            whole = made(recording)
            for size in (n_samples // 3, 60_000)[:n_threads]:
                parts: list[Tensor] = [part[made.name] for part in stream([made], recording.split(size), tmp_path)]
                assert torch.equal(torch.cat(parts, dim=1), whole), (layers, n_threads, size)
