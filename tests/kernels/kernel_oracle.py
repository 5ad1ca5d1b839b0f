"""The strided correlation by its definition, which a bank's numbers are compared through."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specconv.kernels.bank import KernelBank


def slide(waveform: NDArray[np.float64], bank: KernelBank, hop_length: int) -> NDArray[np.complex128]:
    """Complex (n_bins, n_frames), frames centred on the multiples of the hop; zeros outside of the waveform."""
    n_frames = 1 + len(waveform) // hop_length
    left = max(bank.left, 0)
    padded = np.pad(waveform, (left, max(bank.right, 0) + hop_length))
    rows = []
    for k in range(bank.n_bins):
        frames = np.lib.stride_tricks.sliding_window_view(padded, int(bank.lengths[k]))
        rows.append(frames[left + int(bank.starts[k]) :: hop_length][:n_frames] @ bank.kernel(k).conj())
    return np.stack(rows)


def distance(found: NDArray[np.complex128], expected: NDArray[np.complex128]) -> float:
    """Largest difference over the common frames, relative to the largest expected magnitude."""
    n_frames = min(found.shape[-1], expected.shape[-1])
    difference = np.abs(found[..., :n_frames] - expected[..., :n_frames]).max()
    return float(difference / np.abs(expected).max())
