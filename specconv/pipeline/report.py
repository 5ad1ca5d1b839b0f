"""What a conversion did, in numbers, and how it tells of itself on the way."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from specconv.shards import FailedClip

STAGES = ("decode", "resample", "compute", "write")


class Stopwatch:
    """Seconds by stage. Decoding and resampling run in threads beside the rest, so stages may add up to more than
    the time that passed."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add seconds that were measured elsewhere."""
        for stage, spent in seconds.items():
            self.seconds[stage] += spent


class Progress(Protocol):
    """Is told of every clip. All calls come from one thread."""

    def start(self, *, clips: int, done: int) -> None:
        """The run begins: so many clips in all, so many of them in shards that are already whole."""

    def advance(self, *, clips: int, audio_seconds: float) -> None:
        """So many more clips, and the audio in them, have been handled."""

    def notice(self, message: str) -> None:
        """Something the user should know, in one sentence."""


class Silent:
    """Progress that nobody watches."""

    def start(self, *, clips: int, done: int) -> None: ...

    def advance(self, *, clips: int, audio_seconds: float) -> None: ...

    def notice(self, message: str) -> None: ...


@dataclass(frozen=True)
class Report:
    """What a conversion did. Counts are of this run; ``kept`` shards were whole before it.

    audio_seconds: of the clips converted, as stored. bytes: of all shards of the folder.
    float16_underflow: by transform, the share of all stored values that are too small for float16.
    seconds: by stage, see Stopwatch. wall_seconds: from the first clip to the last byte.
    """

    out: Path
    clips: int
    kept_clips: int
    failures: list[FailedClip]
    audio_seconds: float
    shards: int
    kept_shards: int
    bytes: int
    wall_seconds: float
    seconds: dict[str, float] = field(default_factory=dict)
    float16_underflow: dict[str, float] = field(default_factory=dict)

    @property
    def times_realtime(self) -> float | None:
        """Seconds of audio converted in a second; None if there was nothing to convert."""
        return self.audio_seconds / self.wall_seconds if self.audio_seconds > 0 < self.wall_seconds else None
