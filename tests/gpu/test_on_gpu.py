"""On a CUDA GPU the numbers are those of the CPU; run by scripts/gpu_check.py, skipped without one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from specconv.transforms import TransformSet, build_transform
from specconv.transforms.streaming import shortest_stream, stream

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

CASES: list[Mapping[str, Any]] = [
    {"type": "stft"},
    {"type": "stft", "scale": "complex", "center": False},
    {"type": "stft", "name": "log", "freq_scale": "log"},
    {"type": "mel", "scale": "decibel", "top_db": 80.0},
    {"type": "mfcc"},
    {"type": "cqt", "f_min": 55.0, "bins_per_octave": 24},
    {"type": "vqt", "hop_length": 300},
    {"type": "gammatone"},
    {"type": "gammatonegram"},
]


def names(case: Mapping[str, Any]) -> str:
    return "-".join(str(value) for value in case.values())


@pytest.mark.parametrize("engine", ["fft", "conv1d"])
@pytest.mark.parametrize("case", CASES, ids=names)
def test_gpu_and_float64_cpu_agree(case: Mapping[str, Any], engine: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    waveforms = torch.randn(4, 50_000, generator=generator)
    transform = build_transform(case, 44100, engine=engine)
    expected = transform(waveforms.double())
    found = transform.cuda()(waveforms.cuda())
    assert found.is_cuda
    assert found.dtype == transform.dtype
    bound = 2e-4 if transform.units in ("dB", "cepstrum") else 2e-5
    assert (found.cpu() - expected).abs().max() <= bound * expected.abs().max()


@pytest.mark.parametrize("case", CASES, ids=names)
def test_a_stream_on_the_gpu_is_the_whole(case: Mapping[str, Any], tmp_path: Path) -> None:
    transform = build_transform(case, 44100).cuda()
    waveform = torch.randn(max(300_000, 2 * shortest_stream([transform])), device="cuda")
    whole = transform(waveform)
    parts = [part[transform.name].cpu() for part in stream([transform], waveform.split(70_000), tmp_path)]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole.cpu(), atol=2e-5 * float(whole.abs().max()), rtol=0)


def test_gradients_reach_kernels_and_waveforms() -> None:
    transform = build_transform({"type": "mel", "n_fft": 512, "n_mels": 40}, 16000, trainable=True).cuda()
    waveforms = torch.randn(2, 16000, device="cuda", requires_grad=True)
    transform(waveforms).sum().backward()
    assert waveforms.grad is not None
    assert all(p.grad is not None and p.grad.isfinite().all() for p in transform.parameters())


def test_memory_stays_near_input_and_output() -> None:
    transforms = TransformSet([build_transform(case, 44100) for case in CASES[:1]]).cuda()
    waveforms = torch.randn(1000, 80_000, device="cuda")
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    with torch.inference_mode():
        specgrams = transforms(waveforms)
    size = sum(values.nbytes for values in specgrams.values())
    assert torch.cuda.max_memory_allocated() - before <= size + waveforms.nbytes + 2**30
