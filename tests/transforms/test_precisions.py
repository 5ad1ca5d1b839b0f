"""Which precision a transform computes in, whatever it is given and wherever it runs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from specconv.transforms import build_transform

RATE = 8000
CASES: dict[str, dict[str, Any]] = {
    "stft": {"type": "stft", "n_fft": 128},
    "log stft": {"type": "stft", "n_fft": 128, "freq_scale": "log", "scale": "complex"},
    "mel": {"type": "mel", "n_fft": 256, "n_mels": 20, "then": [{"layer": "normalization", "over": "freq"}]},
    "mfcc": {"type": "mfcc", "n_fft": 256, "n_mels": 20, "n_mfcc": 5},
    "gammatonegram": {"type": "gammatonegram", "n_fft": 256, "n_bins": 10},
    "cqt": {"type": "cqt", "f_min": 200.0, "n_bins": 24, "scale": "decibel", "top_db": 80.0},
    "vqt": {"type": "vqt", "f_min": 200.0, "n_bins": 24},
    "gammatone": {"type": "gammatone", "n_bins": 10, "f_min": 100.0},
    "cfp": {"type": "cfp", "n_fft": 512, "f_min": 100.0, "f_max": 900.0},
}
every_case = pytest.mark.parametrize(("name", "engine"), [(n, e) for n in CASES for e in ("fft", "conv1d")])
NOISE = torch.rand(2, 4000, generator=torch.Generator().manual_seed(0)) * 2 - 1


@every_case
def test_half_precision_is_computed_in_float32(name: str, engine: Any) -> None:
    transform = build_transform(CASES[name], RATE, engine=engine)
    for half in (torch.float16, torch.bfloat16):
        found = transform(NOISE.to(half))
        assert found.dtype == transform.dtype
        assert torch.equal(found, transform(NOISE.to(half).float()))


@every_case
def test_float64_is_computed_in_float64(name: str, engine: Any) -> None:
    transform = build_transform(CASES[name], RATE, engine=engine)
    found, in_float32 = transform(NOISE.double()), transform(NOISE)
    assert found.dtype == (torch.complex128 if found.is_complex() else torch.float64)
    peak = float(found.abs().max())
    assert 0 < float((found - in_float32).abs().max()) < 1e-4 * peak
    with torch.no_grad():  # of a module that was itself cast: what is fixed keeps its digits
        assert torch.equal(transform.half().double()(NOISE.double()), found)


@every_case
def test_autocast_costs_no_digits(name: str, engine: Any) -> None:
    transform = build_transform(CASES[name], RATE, engine=engine)
    expected = transform(NOISE)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(transform(NOISE), expected)


@every_case
def test_a_transform_first_used_in_inference_mode_has_gradients_later(name: str, engine: Any) -> None:
    transform = build_transform(CASES[name], RATE, engine=engine)
    with torch.inference_mode():
        inferred = transform(NOISE)
    waveforms = NOISE.clone().requires_grad_()
    values = transform(waveforms)
    torch.testing.assert_close(
        values.detach(), inferred.clone(), rtol=1e-4, atol=1e-5 * float(values.detach().abs().max())
    )
    values.abs().sum().backward()
    assert waveforms.grad is not None
    assert waveforms.grad.isfinite().all()
