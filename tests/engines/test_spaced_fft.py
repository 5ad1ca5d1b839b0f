"""Spectra at any frequencies against sums in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from bank_definition import signals
from scipy.signal import get_window

from specconv.engines.framed_fft import Framing
from specconv.engines.padding import Padded
from specconv.engines.spaced_fft import Interpolation, OversampledSpectrum

BOUND = 2e-5  # of the peak


def frequencies(n_fft: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Cycles a sample: 0 and Nyquist, beside them, on the FFT's own bins, between, repeated and out of order."""
    edges = [0.0, 0.5, 1e-4, 0.4999, 3 / n_fft, 1.5 / n_fft, 0.25, 0.25, 0.1]
    return np.array([*edges, *np.geomspace(0.5 / n_fft, 0.5, 20)])


def coefficients(n_fft: int, hop: int, win: int, waveforms: torch.Tensor) -> Any:
    """Of all frames at once, and their number."""
    framing = Framing(n_fft, hop, win, "hann", True, "reflect")
    front = OversampledSpectrum(framing)
    frames = range(front.n_frames(waveforms.shape[1]))
    (block,) = front.blocks(Padded(waveforms, None, "reflect"), frames, whole=True)
    return Interpolation(frequencies(n_fft), n_fft)(block.compute())


def defined(n_fft: int, hop: int, win: int, clip: torch.Tensor) -> np.ndarray[Any, np.dtype[np.complex128]]:
    window = np.zeros(n_fft)
    before = (n_fft - win) // 2
    window[before : before + win] = get_window("hann", win)
    padded = np.pad(clip.double().numpy(), n_fft // 2, mode="reflect")
    kernels = np.exp(-2j * np.pi * np.outer(frequencies(n_fft), np.arange(n_fft))) * window
    return np.stack([kernels @ padded[s : s + n_fft] for s in range(0, len(padded) - n_fft + 1, hop)], axis=1)


@pytest.mark.parametrize("kind", ["noise", "sweep", "impulse", "square"])
@pytest.mark.parametrize(("n_fft", "hop", "win"), [(256, 64, 256), (255, 100, 201), (64, 300, 64), (33, 7, 33)])
def test_the_definition(n_fft: int, hop: int, win: int, kind: str) -> None:
    clip = signals(2000)[kind]
    expected = defined(n_fft, hop, win, clip)
    for dtype in (torch.float32, torch.float64):
        found = coefficients(n_fft, hop, win, clip[None].to(dtype))
        for values, exact in (
            (found.complex, expected),
            (found.power, np.abs(expected) ** 2),
            (found.magnitude, np.abs(expected)),
        ):
            assert values.dtype in (dtype, dtype.to_complex())
            assert np.abs(values[0].numpy() - exact).max() <= BOUND * np.abs(exact).max()


def test_a_clip_shorter_than_its_frame() -> None:
    clip = signals(20)["noise"]
    found = coefficients(64, 16, 64, clip[None]).complex[0].numpy()
    expected = defined(64, 16, 64, clip)
    assert np.abs(found - expected).max() <= BOUND * np.abs(expected).max()


def test_with_and_without_gradient_are_the_same_numbers() -> None:
    waveforms = torch.stack([signals(700)["noise"], signals(700)["sweep"]])
    plain, tracked = (coefficients(64, 16, 64, waveforms.clone().requires_grad_(grad)) for grad in (False, True))
    for form in ("complex", "power", "magnitude"):
        torch.testing.assert_close(getattr(tracked, form).detach(), getattr(plain, form), rtol=0, atol=1e-12)


def test_gradients_are_right_and_zero_at_silence() -> None:
    noise = signals(60)["noise"][None].requires_grad_()
    for form in ("complex", "power", "magnitude"):
        assert torch.autograd.gradcheck(
            lambda x, form=form: getattr(coefficients(16, 12, 16, x), form), noise, fast_mode=True
        )
    silence = torch.zeros(1, 100, requires_grad=True)
    found = coefficients(16, 12, 16, silence).magnitude
    assert not found.any()
    found.sum().backward()
    assert silence.grad is not None
    assert not silence.grad.any()
