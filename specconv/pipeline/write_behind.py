"""Writing shards in a thread of its own, while the next clips are transformed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from specconv.errors import AudioError
from specconv.pipeline.computing import Specgrams
from specconv.pipeline.failures import NO_MEMORY, Failure
from specconv.pipeline.long_clip import LongClip
from specconv.pipeline.plan import Plan, ShardPlan
from specconv.pipeline.report import Stopwatch
from specconv.pipeline.stages import Decoded, Window
from specconv.shards import ClipRow, FailedClip, ShardEntry, ShardWriter

MOST_WAITING = 2  # transformed windows that may wait for the disk


class WriteBehind:
    """Takes windows in the plan's order; a shard is closed when a window of the next one comes, or by ``finish``.

    entries: the shards that are whole, by number. failures: every clip that is in none. strict: the first of them
    is raised, as AudioError.
    Leaving the context on an exception abandons the open shard, which then leaves nothing behind. After one of its
    own nothing is written any more: a shard that lacks a window must never be closed.
    """

    def __init__(self, plan: Plan, clock: Stopwatch, *, strict: bool) -> None:
        self.entries: dict[int, ShardEntry] = {}
        self.failures: list[Failure] = []
        self._plan, self._clock, self._strict = plan, clock, strict
        self._open: tuple[ShardPlan, ShardWriter] | None = None
        self._waiting: deque[Future[None]] = deque()
        self._broken = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")

    def write(self, window: Window, specgrams: Sequence[Specgrams | None]) -> None:
        """Append the clips of a window and record those that failed.

        specgrams: of the clips that have audio, in order; None where it did not fit into memory.
        """
        self._submit(lambda: self._append(window, specgrams))

    def write_long(self, window: Window, item: Decoded, long_clip: LongClip) -> None:
        """Append one clip from its blocks of frames, here and now: they are computed as they are written."""
        self._wait(0)
        writer = self._writer(window.shard)

        def row() -> ClipRow:
            return self._row(item, long_clip.source_sample_rate, long_clip.n_samples)

        self._count(writer.append_long(row, long_clip.blocks()))

    def fail(self, window: Window, failure: Failure) -> None:
        """Record a clip that was neither written nor had failed before."""
        self._submit(lambda: self._record(window.shard, failure))

    def finish(self) -> None:
        """Wait until everything is written and close the last shard."""
        self._submit(self._close)
        self._wait(0)

    def __enter__(self) -> WriteBehind:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._broken = self._broken or kind is not None
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._open is not None:
            self._open[1].__exit__(kind, error, trace)

    def _submit(self, task: Callable[[], None]) -> None:
        self._wait(MOST_WAITING - 1)
        self._waiting.append(self._thread.submit(self._do, task))

    def _do(self, task: Callable[[], None]) -> None:
        if self._broken:
            return
        try:
            task()
        except BaseException:
            self._broken = True
            raise

    def _wait(self, most: int) -> None:
        while len(self._waiting) > most:
            self._waiting.popleft().result()

    def _append(self, window: Window, specgrams: Sequence[Specgrams | None]) -> None:
        with self._clock.measure("write"):
            rows: list[ClipRow] = []
            stored: list[Specgrams] = []
            remaining = iter(specgrams)
            for item in window.clips:
                failure, clip = item.failure, None if item.audio is None else next(remaining)
                if item.audio is not None and clip is not None:
                    rows.append(self._row(item, item.audio.source_sample_rate, item.audio.n_samples))
                    stored.append(clip)
                    continue
                path = self._plan.stored_path(item.clip)
                self._record(window.shard, failure or Failure(path, "transform", NO_MEMORY))
            if rows:
                by_name = {spec.name: [clip[spec.name] for clip in stored] for spec in self._plan.specs}
                self._count(self._writer(window.shard).append(rows, by_name))

    def _record(self, shard: ShardPlan, failure: Failure) -> None:
        self._count([self._writer(shard).fail(failure.path, failure.stage, failure.reason)])

    def _count(self, failed: Sequence[FailedClip]) -> None:
        self.failures += [Failure(clip.path, clip.stage, clip.reason) for clip in failed]
        if self._strict and failed:
            raise AudioError(failed[0].path, failed[0].stage, failed[0].reason)

    def _row(self, item: Decoded, source_sample_rate: int, n_samples: int) -> ClipRow:
        return ClipRow(
            id=item.clip.id,
            path=self._plan.stored_path(item.clip),
            source_sample_rate=source_sample_rate,
            n_samples=n_samples,
            labels=item.clip.labels,
            notes=item.notes,
        )

    def _writer(self, shard: ShardPlan) -> ShardWriter:
        if self._open is not None and self._open[0] is not shard:
            self._close()
        if self._open is None:
            plan = self._plan
            dataset = plan.listing.dataset
            writer = ShardWriter(
                shard.path,
                plan.specs,
                label_fields=dataset.label_fields,
                has_notes=dataset.has_notes,
                config_yaml=plan.config_yaml,
                fingerprint=shard.fingerprint,
                compression=plan.job.shards.compression,
            )
            self._open = shard, writer
        return self._open[1]

    def _close(self) -> None:
        if self._open is None:
            return
        shard, writer = self._open
        with self._clock.measure("write"):
            self.entries[shard.number] = writer.close()
        self._open = None
