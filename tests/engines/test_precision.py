"""Products in full float32 whatever a user has chosen, and the choice is there again afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from specconv.engines.precision import full_precision, matmul, slide
from specconv.transforms import build_inverse, build_transform

RATE = 16_000
NOISE = torch.randn(2, 8000, generator=torch.Generator().manual_seed(0))
BACKENDS: Any = torch.backends
SETTINGS: list[Any] = [BACKENDS, BACKENDS.cudnn, BACKENDS.cuda.matmul]
SETTINGS += [BACKENDS.mkldnn, BACKENDS.mkldnn.matmul, BACKENDS.mkldnn.conv]
LOWERED: dict[str, Callable[[], None]] = {
    "medium": lambda: torch.set_float32_matmul_precision("medium"),
    "high": lambda: torch.set_float32_matmul_precision("high"),
    "bf16 everywhere": lambda: setattr(BACKENDS, "fp32_precision", "bf16"),
    "tf32 everywhere": lambda: setattr(BACKENDS, "fp32_precision", "tf32"),
    "bf16 products": lambda: setattr(BACKENDS.mkldnn.matmul, "fp32_precision", "bf16"),
    "bf16 convolutions": lambda: setattr(BACKENDS.mkldnn.conv, "fp32_precision", "bf16"),
    "both ways of saying it": lambda: (
        torch.set_float32_matmul_precision("medium"),
        setattr(BACKENDS.cudnn, "fp32_precision", "ieee"),
    )[1],
}
CASES: list[dict[str, Any]] = [
    {"type": "stft", "n_fft": 512, "engine": "conv1d"},
    {"type": "mel", "n_fft": 512, "n_mels": 40},
    {"type": "mfcc", "n_fft": 512, "n_mels": 40},
    {"type": "cqt", "n_bins": 48, "f_min": 80.0, "hop_length": 256},
    {"type": "gammatone", "n_bins": 32, "f_min": 100.0, "engine": "conv1d"},
    {"type": "gammatonegram", "n_fft": 512, "n_bins": 40},
    {"type": "cfp", "n_fft": 1024, "f_min": 100.0},
    {"type": "stft", "n_fft": 512, "then": [{"layer": "filterbank", "n_filters": 16, "init": "random"}]},
]


def settings() -> list[str]:
    return [setting.fp32_precision for setting in SETTINGS]


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    torch.set_float32_matmul_precision("highest")
    for setting in SETTINGS:
        setting.fp32_precision = "none"
    BACKENDS.cudnn.conv.fp32_precision = BACKENDS.cudnn.rnn.fp32_precision = "tf32"


def numbers() -> list[torch.Tensor]:
    found = []
    for case in CASES:
        found.append(build_transform(case, RATE)(NOISE))
        for options in ({}, {"trainable": True}):
            given = {key: value for key, value in case.items() if key != "engine"}
            transform, waveforms = build_transform(given, RATE, **options), NOISE.clone().requires_grad_()
            transform(waveforms).square().mean().backward()
            found += [p.grad for p in (waveforms, *transform.parameters()) if p.grad is not None]
    transform = build_transform({"type": "cqt", "n_bins": 24, "hop_length": 64, "scale": "complex"}, RATE)
    return [*found, build_inverse(transform)(transform(NOISE), 8000)]


@pytest.mark.parametrize("lower", LOWERED.values(), ids=LOWERED.keys())
def test_no_setting_changes_a_number(lower: Callable[[], None]) -> None:
    expected = numbers()
    lower()
    chosen = settings()
    for found, wanted in zip(numbers(), expected, strict=True):
        assert torch.equal(found, wanted)
    assert settings() == chosen


def test_autocast_changes_no_number() -> None:
    expected = numbers()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for found, wanted in zip(numbers(), expected, strict=True):
            assert torch.equal(found, wanted)


@pytest.mark.parametrize("device_type", ["cpu", "cuda"])
def test_a_setting_that_follows_a_wider_one_still_does_afterwards(device_type: str) -> None:
    own, wider = (BACKENDS.mkldnn.matmul, BACKENDS) if device_type == "cpu" else (BACKENDS.cuda.matmul, BACKENDS)
    wider.fp32_precision = "tf32"
    with full_precision(device_type):
        assert own.fp32_precision == "ieee"
    assert own.fp32_precision == "tf32"
    wider.fp32_precision = "ieee"
    assert own.fp32_precision == "ieee"


def test_a_thread_that_leaves_early_takes_nothing_from_the_others() -> None:
    torch.set_float32_matmul_precision("medium")
    entered, left = threading.Event(), threading.Event()

    def stay() -> None:
        with full_precision("cpu"):
            entered.set()
            left.wait(10)
            seen.append(BACKENDS.mkldnn.matmul.fp32_precision)

    seen: list[str] = []
    with full_precision("cpu"):
        thread = threading.Thread(target=stay)
        thread.start()
        entered.wait(10)
    left.set()
    thread.join()
    assert seen == ["ieee"]
    assert BACKENDS.mkldnn.matmul.fp32_precision == "bf16"
    assert torch.get_float32_matmul_precision() == "medium"


@pytest.mark.parametrize("hop_length", [1, 7, 40])
def test_sliding_is_a_convolution_with_its_gradients(hop_length: int) -> None:
    waveforms = torch.randn(3, 200, dtype=torch.float64, requires_grad=True)
    kernels = torch.randn(4, 30, dtype=torch.float64, requires_grad=True)
    found, expected = (
        slide(waveforms, kernels, hop_length),
        F.conv1d(waveforms[:, None], kernels[:, None], None, hop_length),
    )
    torch.testing.assert_close(found, expected)
    gradient = torch.randn_like(expected)
    for ours, theirs in zip(
        torch.autograd.grad(found, (waveforms, kernels), gradient),
        torch.autograd.grad(expected, (waveforms, kernels), gradient),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_gradients_have_gradients() -> None:
    waveforms = torch.randn(2, 30, dtype=torch.float64, requires_grad=True)
    kernels = torch.randn(3, 8, dtype=torch.float64, requires_grad=True)
    for function, factors in (
        (lambda x, k: slide(x, k, 4), (waveforms, kernels)),
        (matmul, (kernels, torch.randn(2, 8, 5, dtype=torch.float64, requires_grad=True))),
        (matmul, [torch.randn(2, *shape, dtype=torch.complex128, requires_grad=True) for shape in ((3, 4), (4, 2))]),
    ):
        assert torch.autograd.gradcheck(function, factors)
        assert torch.autograd.gradgradcheck(function, factors)
