"""Fronts: the expensive part that several transforms of a sweep share.

A front turns waveforms into blocks of coefficients. Two transforms whose fronts have equal keys need the same
blocks, and a `TransformSet` computes them once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from specconv.engines.padding import Padded, PadMode


@dataclass(frozen=True, slots=True)
class Block:
    """Coefficients of some frames of some clips.

    rows: which clips of the batch; frames: which frames, counted from the start of the clip.
    compute: gives what the front's transforms know how to finish.
    """

    rows: slice
    frames: slice
    compute: Callable[[], Any]


def one_by_one(n_frames: int) -> int:  # noqa: ARG001
    """`Reach.together` of frames that know nothing of each other."""
    return 1


class Front(Protocol):
    """What a `TransformSet` asks of a front."""

    @property
    def pad_mode(self) -> PadMode:
        """What it sees beyond the ends of a clip."""

    @property
    def key(self) -> Hashable:
        """Equal for fronts that give the same blocks."""

    def n_frames(self, n_samples: int) -> int:
        """Frames of a clip of so many samples; 0 for a clip too short for one."""

    def blocks(
        self, signal: Padded, frames: range, *, whole: bool, together: Callable[[int], int] = one_by_one
    ) -> Iterator[Block]:
        """The coefficients of ``frames`` of every row, block by block, or in one when ``whole``.

        together: see `Reach`; a block that cuts such frames apart computes them twice.
        """

    def whole(self, waveforms: Tensor) -> Any:
        """What ``blocks`` computes of whole clips ``(batch, time)`` of any length: the graph that is exported."""


class Reach(Protocol):
    """What a stream must know: which samples frames are computed from. A front or a bank knows it."""

    def samples(self, frames: range, n_frames: int) -> range:
        """The samples that ``frames`` of a clip of ``n_frames`` are computed from; they reach beyond the clip."""

    def together(self, n_frames: int) -> int:
        """How many frames of a clip of ``n_frames`` are computed together, from the clip's start on."""

    def grid(self, n_frames: int) -> Hashable:
        """How a clip of ``n_frames`` is cut; clips of equal grid have equal numbers in equal frames."""
