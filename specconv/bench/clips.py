"""The clips that libraries are timed on: in memory, or read when their turn comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Batch:
    """Waveforms ``(n_clips, time)``, float32, zero-padded to the longest.

    lengths: each clip's own samples; None where nothing is padded.
    """

    waveforms: torch.Tensor
    lengths: Sequence[int] | None = None

    def __len__(self) -> int:
        return len(self.waveforms)

    def __iter__(self) -> Iterator[torch.Tensor]:
        """Each clip's own samples, ``(1, time)``."""
        for i in range(len(self)):
            yield self.waveforms[i : i + 1, : self.lengths[i] if self.lengths else None]

    def part(self, start: int, stop: int) -> Batch:
        """Some of the clips, as long as the longest of these."""
        if self.lengths is None:
            return Batch(self.waveforms[start:stop])
        lengths = self.lengths[start:stop]
        waveforms = self.waveforms[start:stop, : max(lengths)]
        return Batch(waveforms, None if min(lengths) == max(lengths) else lengths)

    def to(self, device: str) -> Batch:
        return Batch(self.waveforms.to(device), self.lengths)


Chunk = Sequence[Batch]
"""Batches that are in memory together."""


@dataclass(frozen=True)
class Clips:
    """All clips, chunk by chunk.

    lengths: samples of every clip. read: the chunk of a number below n_chunks, perhaps from disk, anew at every visit.
    sample_rate: Hz. description: what they are, for the report.
    """

    lengths: Sequence[int]
    n_chunks: int
    read: Callable[[int], Chunk]
    sample_rate: float
    description: str

    @classmethod
    def of(cls, batches: Sequence[torch.Tensor], sample_rate: float, description: str) -> Clips:
        """Waveforms that are in memory, each tensor ``(n_clips, time)`` of one length."""
        chunk = [Batch(waveforms) for waveforms in batches]
        lengths = [batch.waveforms.shape[1] for batch in chunk for _ in range(len(batch))]
        return cls(lengths, 1, lambda _: chunk, sample_rate, description)

    def __iter__(self) -> Iterator[Chunk]:
        return map(self.read, range(self.n_chunks))

    @property
    def first(self) -> torch.Tensor:
        """The first clip, ``(1, time)``."""
        return next(iter(self.read(0)[0]))

    @property
    def n_samples(self) -> int:
        """Samples of all clips."""
        return sum(self.lengths)
