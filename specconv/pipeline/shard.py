"""Shards from their recipe and their clips: the work of a conversion, wherever it runs.

    task → batches of clips: decode, resample, transform → windows: rows of the shard → hash, fsync, rename

A shard depends on its recipe and its task alone: not on other shards, threads, processes or machines. What becomes of
a clip does not depend on the batch that it is computed in, and a window is cut by the clips' own sizes, so the bytes of
a shard are the same however the work is cut.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np

from specconv.datasets import ClipRef
from specconv.engines.threads import one_core, pool
from specconv.errors import AudioError
from specconv.pipeline.compute import Frames, single_clips
from specconv.pipeline.converter import Batch, Converter, converter_for
from specconv.pipeline.failures import failure_of
from specconv.pipeline.long_clip import LongClip
from specconv.pipeline.recipe import Recipe, ShardResult, ShardTask
from specconv.pipeline.report import Stopwatch
from specconv.shards import ClipRow, FailedClip, create_shard, shard_name, shard_path

# A window is what is appended to a shard together. Its size decides the order of the chunks in the file.
WINDOW_BYTES = 2**27  # of waveforms and specgrams
WINDOW_CLIPS = 256

Advance = Callable[[int, float], None]
"""Called with the number of clips handled, and the seconds of audio in them."""


def make_shard(recipe: Recipe, task: ShardTask, folder: Path) -> ShardResult:
    """Make one shard in ``folder``, on the CPU. Raises OutputError."""
    (result,) = make_shards(converter_for(recipe), [task], folder)
    return result


def make_shards(
    converter: Converter,
    tasks: Iterable[ShardTask],
    folder: Path,
    *,
    threads: int = 1,
    strict: bool = False,
    advance: Advance | None = None,
) -> Generator[ShardResult]:
    """Make shards one after the other, each the same as `make_shard` makes it.

    threads: that decode and transform batches; the next shard begins while the last is flushed to the disk.
    strict: raise AudioError for the first clip that fails.
    When an exception ends it, what has no final name yet is removed.
    """
    flushing: Future[ShardResult] | None = None
    shard: _Shard | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="flush") as flush:
        try:
            with closing(_batches(converter, tasks, threads)) as batches:
                for task, batch in batches:
                    if shard is not None and shard.task is not task:
                        if flushing is not None:
                            yield flushing.result()
                        flushing, shard = flush.submit(shard.finish), None
                    if shard is None:
                        shard = _Shard(converter, task, folder, strict)
                    shard.add(batch)
                    audio_seconds = batch.audio_seconds
                    if batch.long:
                        audio_seconds += shard.add_long(batch.left[0])
                    if advance is not None:
                        advance(len(batch.clips) + batch.long, audio_seconds)
            if flushing is not None:
                yield flushing.result()
                flushing = None
            if shard is not None:
                yield shard.finish()
        finally:
            if shard is not None:
                shard.abandon()


def _batches(converter: Converter, tasks: Iterable[ShardTask], threads: int) -> Generator[tuple[ShardTask, Batch]]:
    """Yield all clips of all tasks in order, in batches; each batch is worked on by one of so many threads."""
    waiting: deque[tuple[ShardTask, Future[Batch]]] = deque()
    workers = pool(threads, "convert")
    try:
        for task in tasks:
            first = 0
            while first < len(task.clips):
                clips = task.clips[first : first + converter.clips_at_once]
                first += len(clips)
                while len(waiting) > threads:
                    yield from _completed(converter, *waiting.popleft())
                waiting.append((task, workers.submit(converter.convert, clips)))
        while waiting:
            yield from _completed(converter, *waiting.popleft())
    finally:
        workers.shutdown(wait=True, cancel_futures=True)


def _completed(converter: Converter, task: ShardTask, future: Future[Batch]) -> Iterator[tuple[ShardTask, Batch]]:
    """Yield a batch, and the clips that it had to leave."""
    batch = future.result()
    yield task, batch
    while left := batch.left[batch.long :]:
        with one_core():
            batch = converter.convert(left)
        yield task, batch


class _Shard:
    """One shard that is being written."""

    def __init__(self, converter: Converter, task: ShardTask, folder: Path, strict: bool) -> None:
        recipe, dataset = converter.recipe, converter.dataset
        self.task = task
        self._converter, self._strict = converter, strict
        self._clock, self._audio_seconds = Stopwatch(), 0.0
        self._failures: list[FailedClip] = []
        self._window = _Window()
        self._path = shard_path(folder, task.number)
        self._writer = create_shard(
            folder,
            shard_name(task.number),
            converter.specs,
            label_fields=dataset.label_fields,
            has_notes=dataset.has_notes,
            config_yaml=recipe.config,
            fingerprint=task.fingerprint,
            compression=recipe.shards.compression,
        )

    def add(self, batch: Batch) -> None:
        """Append the clips of a batch, window by window."""
        self._clock.add(batch.seconds)
        self._audio_seconds += batch.audio_seconds
        start = 0
        for i, size in enumerate(batch.sizes):
            if self._window.is_full(size):
                self._window.add(batch, start, i)
                self._write_window()
                start = i
            self._window.count(size)
        self._window.add(batch, start, len(batch.clips))

    def add_long(self, clip: ClipRef) -> float:
        """Append a clip that streams from its file through the transforms; returns its seconds."""
        self._write_window()
        long_clip = LongClip(self._converter, clip, self._path)
        with self._clock.measure("compute"), one_core():
            try:
                self._fail(self._writer.append_long(long_clip.row, long_clip.blocks()))
            except Exception as error:
                failure = failure_of(self._converter.recipe.stored_path(clip), error)
                if failure is None:
                    raise
                self._fail([self._writer.fail(failure.path, failure.stage, failure.reason)])
                return 0.0
        self._clock.add(long_clip.seconds)
        self._clock.seconds["compute"] -= sum(long_clip.seconds.values())
        audio_seconds = long_clip.n_samples / self._converter.recipe.sample_rate
        self._audio_seconds += audio_seconds
        return audio_seconds

    def finish(self) -> ShardResult:
        """Write what is left and give the shard its final name."""
        try:
            self._write_window()
            with self._clock.measure("write"):
                entry = self._writer.close()
        except BaseException:
            self.abandon()
            raise
        return ShardResult(self.task.number, entry, tuple(self._failures), self._audio_seconds, self._clock.seconds)

    def abandon(self) -> None:
        """Leave nothing behind, unless the shard is finished."""
        self._writer.__exit__(None, None, None)

    def _write_window(self) -> None:
        window, self._window = self._window, _Window()
        with self._clock.measure("write"):
            rows = [clip for clip in window.clips if isinstance(clip, ClipRow)]
            for clip in window.clips:
                if isinstance(clip, FailedClip):
                    self._fail([self._writer.fail(clip.path, clip.stage, clip.reason)])
            if rows:
                self._fail(
                    self._writer.append(rows, {name: _joined(blocks) for name, blocks in window.specgrams.items()})
                )

    def _fail(self, failed: Sequence[FailedClip]) -> None:
        self._failures += failed
        if self._strict and failed:
            raise AudioError(failed[0].path, failed[0].stage, failed[0].reason)


class _Window:
    """Clips that are appended to a shard together, with their specgrams."""

    def __init__(self) -> None:
        self.clips: list[ClipRow | FailedClip] = []
        self.specgrams: dict[str, list[Frames]] = {}
        self._bytes = self._counted = 0

    def is_full(self, size: int) -> bool:
        """Whether a clip of ``size`` bytes belongs into the next window."""
        return self._counted > 0 and (self._bytes + size > WINDOW_BYTES or self._counted >= WINDOW_CLIPS)

    def count(self, size: int) -> None:
        self._bytes, self._counted = self._bytes + size, self._counted + 1

    def add(self, batch: Batch, start: int, stop: int) -> None:
        """Take the clips ``start … stop - 1`` of a batch, which have been counted."""
        first = sum(isinstance(clip, ClipRow) for clip in batch.clips[:start])
        rows = sum(isinstance(clip, ClipRow) for clip in batch.clips[start:stop])
        self.clips += batch.clips[start:stop]
        for name, blocks in batch.specgrams.items():
            self.specgrams.setdefault(name, []).extend(_rows(blocks, first, first + rows))


def _rows(blocks: Sequence[Frames], start: int, stop: int) -> Iterator[Frames]:
    """Yield the rows ``start … stop - 1`` of blocks ``(n, n_bins, n_frames)``, or ``(n_bins, n_frames)`` of one row."""
    first = 0
    for block in blocks:
        last = first + (1 if block.ndim == 2 else len(block))
        if start < last and first < stop:
            yield block if block.ndim == 2 else block[max(0, start - first) : stop - first]
        first = last


def _joined(blocks: Sequence[Frames]) -> Frames | Sequence[Frames]:
    """Return one array ``(n, n_bins, n_frames)``, or the clips where their lengths differ."""
    if len({block.shape[-1] for block in blocks}) > 1 or any(block.ndim == 2 for block in blocks):
        return list(single_clips(blocks))
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
