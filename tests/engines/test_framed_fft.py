"""Framed spectra against sums in float64: any sizes, hops, lengths and company."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from bank_definition import signals
from scipy.signal import get_window

from specconv.engines import framed_fft
from specconv.engines.framed_fft import FramedSpectrum, Framing
from specconv.engines.padding import Padded, PadMode

# n_fft, hop_length, win_length: even, odd, a shorter window, frames that leave samples out, single samples
FRAMES = [(64, 16, 64), (63, 10, 63), (64, 16, 41), (63, 9, 40), (32, 100, 32), (31, 97, 20), (16, 1, 16), (2, 1, 2)]


def framing(n_fft: int, hop: int, win: int, center: bool = True, mode: PadMode = "reflect") -> Framing:
    return Framing(n_fft, hop, win, "hann", center, mode)


def spectra(framing: Framing, waveforms: torch.Tensor, lengths: list[int] | None = None, **how: Any) -> torch.Tensor:
    """(batch, n_bins, n_frames), block by block."""
    front = FramedSpectrum(framing)
    signal = Padded(waveforms, lengths, framing.pad_mode)
    n_frames = max(front.n_frames(n) for n in signal.lengths)
    frames = how.get("frames", range(n_frames))
    dtype = waveforms.dtype.to_complex()
    out = torch.full((len(waveforms), framing.n_fft // 2 + 1, n_frames), torch.nan, dtype=dtype)
    for block in front.blocks(signal, frames, whole=how.get("whole", False)):
        out[block.rows, :, block.frames] = block.compute().complex
    return out[:, :, frames.start : frames.stop]


def defined(framing: Framing, clip: torch.Tensor) -> np.ndarray[Any, np.dtype[np.complex128]]:
    samples, n_fft = clip.double().numpy(), framing.n_fft
    window = np.zeros(n_fft)
    before = (n_fft - framing.win_length) // 2
    window[before : before + framing.win_length] = get_window("hann", framing.win_length)
    mode: Any = {"reflect": "reflect", "constant": "constant", "replicate": "edge"}[framing.pad_mode]
    padded = np.pad(samples, n_fft // 2, mode=mode) if framing.center else samples
    kernels = np.exp(-2j * np.pi * np.outer(np.arange(n_fft // 2 + 1), np.arange(n_fft)) / n_fft) * window
    starts = range(0, len(padded) - n_fft + 1, framing.hop_length)
    return np.stack([kernels @ padded[start : start + n_fft] for start in starts], axis=1)


@pytest.mark.parametrize("mode", ["reflect", "constant", "replicate"])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize(("n_fft", "hop", "win"), FRAMES)
def test_the_definition(n_fft: int, hop: int, win: int, center: bool, mode: PadMode) -> None:
    chosen = framing(n_fft, hop, win, center, mode)
    for n in (1, 5, n_fft - 1, n_fft, n_fft + 1, 500):
        if n < 1 or not chosen.n_frames(n):
            continue
        clip = signals(n)["noise"]
        expected = defined(chosen, clip)
        peak = np.abs(expected).max()
        for dtype, bound in ((torch.float64, 1e-13), (torch.float32, 2e-6)):
            found = spectra(chosen, clip[None].to(dtype))[0].numpy()
            assert found.shape == expected.shape
            assert np.abs(found - expected).max() <= bound * max(peak, 1e-3)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("whole", [True, False])
def test_clips_of_other_lengths_do_not_matter(center: bool, whole: bool) -> None:
    chosen = framing(64, 24, 50, center)
    lengths = [400, 64, 399, 100, 70]
    waveforms = torch.randn(5, 420, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    together = spectra(chosen, waveforms, lengths, whole=whole)
    for row, clip, n in zip(together, waveforms, lengths, strict=True):
        expected = defined(chosen, clip[:n])
        np.testing.assert_allclose(row[:, : expected.shape[1]].numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("block", [64, 640, 64 * 7, 2**19])
def test_blocks_of_any_size_cover_every_frame_once(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = framing(64, 16, 64)
    waveforms = torch.randn(7, 333, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = np.stack([defined(chosen, clip) for clip in waveforms])
    monkeypatch.setattr(framed_fft, "CPU_BLOCK", block)
    covered = np.zeros((7, expected.shape[2]), dtype=int)
    for part in FramedSpectrum(chosen).blocks(Padded(waveforms, None, "reflect"), range(21), whole=False):
        covered[part.rows, part.frames] += 1
    assert (covered == 1).all()
    np.testing.assert_allclose(spectra(chosen, waveforms).numpy(), expected, rtol=0, atol=1e-12)
    some = spectra(chosen, waveforms, frames=range(3, 20))
    np.testing.assert_allclose(some.numpy(), expected[:, :, 3:20], rtol=0, atol=1e-12)


def test_silence_is_silent_and_gradients_are_right() -> None:
    chosen = framing(16, 6, 12)
    assert not spectra(chosen, torch.zeros(2, 100)).abs().any()
    waveforms = torch.randn(2, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    front = FramedSpectrum(chosen)

    def of(waveforms: torch.Tensor) -> torch.Tensor:
        (block,) = front.blocks(Padded(waveforms, [40, 9], "reflect"), range(7), whole=True)
        values: torch.Tensor = block.compute().complex
        return values

    assert torch.autograd.gradcheck(of, waveforms)


def test_samples_say_what_frames_see() -> None:
    """Everything outside them can be anything."""
    for center in (True, False):
        chosen = framing(32, 10, 32, center)
        front, frames = FramedSpectrum(chosen), range(5, 9)
        waveforms = torch.randn(1, 300)
        seen = front.samples(frames, front.n_frames(300))
        expected = spectra(chosen, waveforms, frames=frames)
        other = torch.randn(1, 300)
        other[:, seen.start : seen.stop] = waveforms[:, seen.start : seen.stop]
        assert torch.equal(spectra(chosen, other, frames=frames), expected)
        other[:, seen.stop - 2] += 1
        assert not torch.equal(spectra(chosen, other, frames=frames), expected)
