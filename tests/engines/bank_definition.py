"""Banks slid along waveforms by direct sums in float64, and the banks and waveforms that engines are tried on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from specconv.engines.conv1d import Conv1dBank
from specconv.engines.folded_bank import FoldedBank
from specconv.engines.front import Front
from specconv.engines.long_fft import LongSpectrum
from specconv.engines.padding import Padded, PadMode
from specconv.kernels.bank import KernelBank
from specconv.kernels.gammatone import gammatone_bank

NUMPY_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}
SAMPLE_RATE = 8000.0


def defined(bank: KernelBank, hop_length: int, waveform: Tensor, mode: PadMode) -> NDArray[np.complex128]:
    """(n_bins, n_frames): sum_m x[t·hop + starts[k] + m] conj(h_k[m]) with x continued by ``mode``."""
    samples = waveform.double().numpy()
    n_frames = 1 + len(samples) // hop_length
    margin = int(np.abs(bank.starts).max() + bank.lengths.max()) + hop_length
    padded = np.pad(samples, margin, mode=NUMPY_MODES[mode])  # type: ignore[call-overload]
    out = np.empty((bank.n_bins, n_frames), dtype=np.complex128)
    for k in range(bank.n_bins):
        frames = np.lib.stride_tricks.sliding_window_view(padded, int(bank.lengths[k]))
        out[k] = frames[margin + int(bank.starts[k]) :: hop_length][:n_frames] @ bank.kernel(k).conj()
    return out


def parts(engine: str, bank: KernelBank, hop_length: int, mode: PadMode) -> tuple[Front, nn.Module]:
    if engine == "conv1d":
        module = Conv1dBank(bank, hop_length)
        return module.front(mode), module
    return LongSpectrum(hop_length, mode), FoldedBank(bank, hop_length)


def run(
    front: Front,
    module: nn.Module,
    waveforms: Tensor,
    lengths: list[int] | None = None,
    form: str = "complex",
    whole: bool = False,
) -> Tensor:
    """(batch, n_bins, n_frames), block by block as a transform does it."""
    signal = Padded(waveforms, lengths, front.pad_mode)
    n_frames = max(front.n_frames(n) for n in signal.lengths)
    out: Tensor | None = None
    for block in front.blocks(signal, range(n_frames), whole=whole):
        values: Tensor = getattr(module(block.compute()), form)
        if whole:
            return values
        if out is None:
            out = values.new_zeros(len(waveforms), values.shape[1], n_frames)
        out[block.rows, :, block.frames] = values
    assert out is not None
    return out


def error(found: Tensor, expected: NDArray[np.complex128] | NDArray[np.float64]) -> float:
    """Largest difference relative to the largest expected magnitude."""
    assert found.shape == expected.shape
    return float(np.abs(found.numpy() - expected).max() / np.abs(expected).max())


def constant_q(n_bins: int = 48, bins_per_octave: int = 12, f_min: float = 110.0, window: str = "hann") -> KernelBank:
    frequencies = f_min * 2 ** (np.arange(n_bins) / bins_per_octave)
    lengths = np.ceil(SAMPLE_RATE / (2 ** (1 / bins_per_octave) - 1) / frequencies).astype(np.int64)
    return KernelBank(SAMPLE_RATE, frequencies, lengths, -(lengths // 2), 2 / lengths, window)


def edges() -> KernelBank:
    """At and near 0 Hz and Nyquist, out of order, long, short, a single sample, early and late, with complex gains."""
    frequencies = np.array([0.0, 3999.0, 1.5, 4000.0, 40.0, 3900.0, 1000.0, 2000.0, 1234.5, 20.0])
    lengths = np.array([900, 900, 701, 300, 512, 77, 1, 2, 1001, 64])
    starts = np.array([-450, -450, -350, -150, -512, 0, 0, -1, 300, -700])
    gains = 2 / lengths * np.exp(1j * np.arange(10))
    return KernelBank(SAMPLE_RATE, frequencies, lengths, starts, gains, "hann")


BANKS: dict[str, Callable[[], KernelBank]] = {
    "constant-q": constant_q,
    "edges": edges,
    "gammatone": lambda: gammatone_bank(SAMPLE_RATE, 24, f_min=50.0),
    "low": lambda: constant_q(24, 24, 30.0),
    "blackman": lambda: constant_q(24, window="blackman"),
    "kaiser": lambda: KernelBank(
        SAMPLE_RATE,
        np.array([300.0, 500.0]),
        np.array([400, 300]),
        np.array([-200, -150]),
        np.ones(2),
        ("kaiser", 14.0),
    ),
}


def signals(n: int) -> dict[str, Tensor]:
    """White noise, a sweep to Nyquist, an impulse, a full-scale square wave, silence."""
    t = torch.arange(n, dtype=torch.float64)
    impulse = torch.zeros(n, dtype=torch.float64)
    impulse[n // 3] = 1.0
    square = torch.where((t % 37) < 18, 1.0, -1.0).double()
    return {
        "noise": torch.randn(n, dtype=torch.float64, generator=torch.Generator().manual_seed(1)),
        "sweep": torch.sin(torch.pi * t * t / (2 * n)),
        "impulse": impulse,
        "square": square,
        "silence": torch.zeros(n, dtype=torch.float64),
    }
