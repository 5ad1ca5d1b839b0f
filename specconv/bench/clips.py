"""The clips that a suite is timed on, in memory or read when their turn comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Clips:
    """Batches ``(n_clips, time)`` of float32 waveforms on the host.

    shapes: of every batch; read: the batch of a number, perhaps from disk, and anew at every visit.
    sample_rate: Hz. description: what they are, for the report.
    """

    shapes: Sequence[tuple[int, int]]
    read: Callable[[int], torch.Tensor]
    sample_rate: float
    description: str

    @classmethod
    def of(cls, batches: Sequence[torch.Tensor], sample_rate: float, description: str) -> Clips:
        """Batches that are in memory."""
        shapes = [(batch.shape[0], batch.shape[1]) for batch in batches]
        return cls(shapes, batches.__getitem__, sample_rate, description)

    def __iter__(self) -> Iterator[torch.Tensor]:
        return map(self.read, range(len(self.shapes)))

    @property
    def first(self) -> torch.Tensor:
        """The first clip, ``(1, time)``."""
        return self.read(0)[:1]

    @property
    def n_clips(self) -> int:
        return sum(n for n, _ in self.shapes)

    @property
    def n_samples(self) -> int:
        """Samples of all clips."""
        return sum(n * samples for n, samples in self.shapes)
