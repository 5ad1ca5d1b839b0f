"""What a conversion would make: clips, hours and bytes, from the headers of the files alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path

from specconv.audio import probe
from specconv.errors import AudioError
from specconv.pipeline.converter import Converter
from specconv.pipeline.recipe import ShardTask

PROBING_THREADS = 8  # reading headers waits for the disk, not for a core


@dataclass(frozen=True)
class Estimate:
    """What a conversion would make. bytes: of the values, before compression; unreadable: headers."""

    clips: int
    audio_seconds: float
    shards: int
    bytes: int
    unreadable: int


def estimate(converter: Converter, tasks: Sequence[ShardTask]) -> Estimate:
    """Estimate what the tasks would make; reads the headers of their files unless a duration is given."""
    recipe = converter.recipe
    duration, rate = recipe.audio.duration, recipe.sample_rate
    clips = [clip.path for task in tasks for clip in task.clips]
    durations = _durations(clips) if duration is None else repeat(duration, len(clips))
    n_bytes = n_samples = unreadable = 0
    for task in tasks:
        known = [seconds for seconds in islice(durations, len(task.clips)) if seconds is not None]
        lengths = Counter(round(seconds * rate) for seconds in known)
        unreadable += len(task.clips) - len(known)
        n_samples += sum(length * n for length, n in lengths.items())
        for spec, transform in zip(converter.specs, converter.members, strict=True):
            n_frames = sum(transform.n_frames(length) * n for length, n in lengths.items())
            n_bytes += spec.size(len(known), n_frames)
    return Estimate(len(clips), n_samples / rate, len(tasks), n_bytes, unreadable)


def _durations(paths: list[Path]) -> Iterator[float | None]:
    def duration(path: Path) -> float | None:
        try:
            info = probe(path)
        except AudioError:
            return None
        return max(info.n_samples, 0) / info.sample_rate

    with ThreadPoolExecutor(PROBING_THREADS) as pool:
        yield from pool.map(duration, paths)
