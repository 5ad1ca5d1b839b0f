"""Writing shards in a thread of its own, while the next clips are transformed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from specconv.pipeline.long_clip import LongClip
from specconv.pipeline.plan import Plan, ShardPlan
from specconv.pipeline.report import Failure, Stopwatch
from specconv.pipeline.stages import Decoded, Frames, Window
from specconv.shards import ClipRow, ShardEntry, ShardWriter

MOST_WAITING = 2  # transformed windows that may wait for the disk


class WriteBehind:
    """Takes windows in the plan's order; a shard is closed when a window of the next one comes, or by ``finish``.

    entries: the shards that are whole, by number. failures: every clip that is in none.
    Leaving the context on an exception abandons the open shard, which then leaves nothing behind.
    """

    def __init__(self, plan: Plan, clock: Stopwatch) -> None:
        self.entries: dict[int, ShardEntry] = {}
        self.failures: list[Failure] = []
        self._plan, self._clock = plan, clock
        self._open: tuple[ShardPlan, ShardWriter] | None = None
        self._waiting: deque[Future[None]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")

    def write(self, window: Window, specgrams: Mapping[str, Sequence[Frames]]) -> None:
        """Append the clips of a window that have audio, with their specgrams, and record those that failed."""
        self._submit(lambda: self._append(window, specgrams))

    def write_long(self, window: Window, item: Decoded, long_clip: LongClip) -> None:
        """Append one clip from its blocks of frames, here and now: they are computed as they are written."""
        self._wait(0)
        writer = self._writer(window.shard)

        def row() -> ClipRow:
            return self._row(item, long_clip.source_sample_rate, long_clip.n_samples)

        for failed in writer.append_long(row, long_clip.blocks()):
            self.failures.append(Failure(failed.path, failed.stage, failed.reason))

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
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._open is not None:
            self._open[1].__exit__(kind, error, trace)

    def _submit(self, task: Callable[[], None]) -> None:
        self._wait(MOST_WAITING - 1)
        self._waiting.append(self._thread.submit(task))

    def _wait(self, most: int) -> None:
        while len(self._waiting) > most:
            self._waiting.popleft().result()

    def _append(self, window: Window, specgrams: Mapping[str, Sequence[Frames]]) -> None:
        with self._clock.measure("write"):
            for item in window.clips:
                if item.failure is not None:
                    self._record(window.shard, item.failure)
            rows = [
                self._row(item, item.audio.source_sample_rate, item.audio.n_samples)
                for item in window.clips
                if item.audio is not None
            ]
            if rows:
                for failed in self._writer(window.shard).append(rows, specgrams):
                    self.failures.append(Failure(failed.path, failed.stage, failed.reason))

    def _record(self, shard: ShardPlan, failure: Failure) -> None:
        self._writer(shard).fail(failure.path, failure.stage, failure.reason)
        self.failures.append(failure)

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
                config_yaml=plan.job.to_yaml(),
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
