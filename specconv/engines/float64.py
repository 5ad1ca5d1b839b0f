"""Float64 inside a transform that float32 cannot hold: waveforms become float64, and its specgram what they were.

A device without float64 (Apple's) computes in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from specconv.engines.front import Block, Front, one_by_one
from specconv.engines.padding import Padded, PadMode


@dataclass(frozen=True, slots=True)
class Float64Values:
    """What a block of the front computes in float64. dtype: of the waveforms."""

    values: Any
    dtype: torch.dtype


class Float64Front(nn.Module):
    """Another front, over waveforms in float64; blocks of Float64Values."""

    def __init__(self, front: Front) -> None:
        super().__init__()
        self.front = front

    @property
    def pad_mode(self) -> PadMode:
        return self.front.pad_mode

    @property
    def key(self) -> Hashable:
        return "float64", self.front.key

    def n_frames(self, n_samples: int) -> int:
        return self.front.n_frames(n_samples)

    def blocks(
        self, signal: Padded, frames: range, *, whole: bool, together: Callable[[int], int] = one_by_one
    ) -> Iterator[Block]:
        waveforms = signal.waveforms
        exact = Padded(_float64(waveforms), signal.lengths, signal.mode, signal.origin)
        for block in self.front.blocks(exact, frames, whole=whole, together=together):
            yield replace(block, compute=partial(_computed, block, waveforms.dtype))

    def whole(self, waveforms: Tensor) -> Float64Values:
        return Float64Values(self.front.whole(_float64(waveforms)), waveforms.dtype)


class Float64Steps(nn.Sequential):
    """Steps after a `Float64Front`; the last one's result gets the waveforms' precision."""

    def forward(self, block: Float64Values) -> Tensor:
        values = block.values
        for step in self:
            values = step(values)
        specgram: Tensor = values.to(block.dtype)
        return specgram


def _float64(waveforms: Tensor) -> Tensor:
    return waveforms if waveforms.device.type == "mps" else waveforms.double()


def _computed(block: Block, dtype: torch.dtype) -> Float64Values:
    return Float64Values(block.compute(), dtype)
