"""Cutting and zero-padding to a length, whole and block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor


def fit(waveform: Tensor, n_samples: int) -> Tensor:
    """(time,) cut, or padded with zeros, on the right to (n_samples,)."""
    missing = n_samples - len(waveform)
    return torch.nn.functional.pad(waveform, (0, missing)) if missing > 0 else waveform[:n_samples]


def fit_blocks(blocks: Iterable[Tensor], block_samples: int, n_samples: int | None) -> Iterator[Tensor]:
    """``fit`` of the concatenated blocks, or all of it, again in blocks of ``block_samples``.

    Only the last block may be shorter.
    """
    held: list[Tensor] = []
    n_held = 0
    for block in blocks if n_samples is None else _cut_or_padded(blocks, block_samples, n_samples):
        held.append(block)
        n_held += len(block)
        if n_held >= block_samples:
            whole = torch.cat(held)
            n_full = n_held - n_held % block_samples
            for start in range(0, n_full, block_samples):
                yield whole[start : start + block_samples]
            held, n_held = [whole[n_full:]], n_held - n_full
    if n_held:
        yield torch.cat(held)


def _cut_or_padded(blocks: Iterable[Tensor], block_samples: int, n_samples: int) -> Iterator[Tensor]:
    left = n_samples
    for block in blocks:
        yield block[:left]
        left -= min(len(block), left)
        if not left:
            return
    while left:
        yield torch.zeros(min(left, block_samples))
        left -= min(left, block_samples)
