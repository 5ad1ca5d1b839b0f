"""The stages between a list of clips and the rows of a shard, each an iterator over what the one before gives.

    decode_ahead   every clip in order, decoded by threads ahead of its use
    windows        clips of one shard that fit into memory together

Decoding runs in threads; transforming (`Computing`) and writing (`WriteBehind`) are elsewhere, see ``convert``.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specconv.audio import LoadedClip, load_at_most
from specconv.datasets import ClipRef
from specconv.engines.threads import pool
from specconv.pipeline.failures import Failure, failure_of
from specconv.pipeline.plan import Plan, ShardPlan

WINDOW_BYTES = 2**27  # waveforms and specgrams that are in memory together, a few times over
WINDOW_CLIPS = 256
AHEAD_BYTES = 2**26  # decoded waveforms that wait for their window
DECODING_BYTES = 2**28  # waveforms that are being decoded, if they are like those before


@dataclass(frozen=True)
class Decoded:
    """A clip with its waveform, or why there is none; one too long for memory has neither and is streamed."""

    shard: ShardPlan
    clip: ClipRef
    audio: LoadedClip | None = None
    notes: NDArray[np.void] | None = None
    failure: Failure | None = None

    @property
    def is_long(self) -> bool:
        return self.audio is None and self.failure is None

    @property
    def n_bytes(self) -> int:
        """Of its waveform."""
        return 0 if self.audio is None else self.audio.waveform.nbytes


@dataclass(frozen=True)
class Window:
    """Clips of one shard, in order: either a few with their waveforms (or failures), or a single long one."""

    shard: ShardPlan
    clips: list[Decoded]


def decode_ahead(plan: Plan, shards: Sequence[ShardPlan], workers: int) -> Generator[Decoded]:
    """Every clip of ``shards`` in order, decoded, resampled and fitted by ``workers`` threads."""
    pending: deque[Future[Decoded]] = deque()
    waiting = _Waiting(4 * workers)

    def decode(shard: ShardPlan, clip: ClipRef) -> Decoded:
        decoded = _decode(plan, shard, clip)
        waiting.add(decoded)
        return decoded

    decoding = pool(workers, "decode")
    try:
        for shard in shards:
            for clip in shard.clips:
                while pending and waiting.is_enough(len(pending)):
                    decoded = pending.popleft().result()
                    waiting.remove(decoded)
                    yield decoded
                pending.append(decoding.submit(decode, shard, clip))
        while pending:
            yield pending.popleft().result()
    finally:
        decoding.shutdown(wait=True, cancel_futures=True)


class _Waiting:
    """Counts clips that are decoded and not yet used, by several threads."""

    def __init__(self, most_decoding: int) -> None:
        self._lock = threading.Lock()
        self._clips = self._bytes = self._largest = 0
        self._most_decoding = most_decoding

    def add(self, decoded: Decoded) -> None:
        n_bytes = decoded.n_bytes
        with self._lock:
            self._clips, self._bytes = self._clips + 1, self._bytes + n_bytes
            self._largest = max(self._largest, n_bytes)

    def remove(self, decoded: Decoded) -> None:
        with self._lock:
            self._clips, self._bytes = self._clips - 1, self._bytes - decoded.n_bytes

    def is_enough(self, begun: int) -> bool:
        """Whether, of so many clips begun, one should be used before the next is begun."""
        with self._lock:
            # How large the first are is not known before one is there.
            at_once = min(DECODING_BYTES // self._largest, self._most_decoding) if self._largest else 2
            return self._bytes >= AHEAD_BYTES or begun - self._clips >= max(at_once, 2)


def _decode(plan: Plan, shard: ShardPlan, clip: ClipRef) -> Decoded:
    try:
        notes = plan.listing.dataset.read_notes(clip) if plan.listing.dataset.has_notes else None
        audio = load_at_most(clip.path, plan.audio_format, plan.long_samples - 1)
        if audio is not None:
            plan.check_clip(clip, audio.source_sample_rate, len(audio.waveform))
    except Exception as error:
        failure = failure_of(plan.stored_path(clip), error)
        if failure is None:
            raise
        return Decoded(shard, clip, failure=failure)
    return Decoded(shard, clip, audio, notes)


def windows(plan: Plan, decoded: Iterable[Decoded]) -> Iterator[Window]:
    """Group consecutive clips of a shard whose waveforms and specgrams stay below WINDOW_BYTES."""
    clips: list[Decoded] = []
    size = 0
    for item in decoded:
        needed = plan.memory_of(len(item.audio.waveform)) if item.audio else 0
        full = size + needed > WINDOW_BYTES or len(clips) >= WINDOW_CLIPS or item.is_long
        if clips and (full or clips[0].shard is not item.shard or clips[0].is_long):
            yield Window(clips[0].shard, clips)
            clips, size = [], 0
        clips.append(item)
        size += needed
    if clips:
        yield Window(clips[0].shard, clips)
