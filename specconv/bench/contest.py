"""Libraries side by side on the same clips: built, checked, then timed in the same rounds."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from specconv.bench.agreement import EXCERPT, Agreement
from specconv.bench.batching import fastest_batch, in_batches
from specconv.bench.clips import Chunk, Clips
from specconv.bench.contestants import Contestant, Given, Lineup, all_together
from specconv.bench.floor import floor_seconds
from specconv.bench.machine import copy_bandwidth, device_memory
from specconv.bench.peers import PEERS, NotRunError, Prepared
from specconv.bench.peers.base import in_one_line
from specconv.bench.rows import Row
from specconv.bench.timing import (
    SHORTEST_MEASUREMENT,
    Call,
    Copies,
    Progress,
    Timing,
    clock_of,
    time_copies,
    time_first,
    time_interleaved,
)
from specconv.errors import ParameterError
from specconv.transforms import build_transform


@dataclass(frozen=True)
class Contest:
    """What holds for every transform of a suite.

    device: of specconv, and of every peer that runs on it; the others run on the CPU.
    against: names of peers; rounds: measurements of each contestant; shortest: seconds of one.
    at_once: every library is given all clips at once, not the batch that suits it.
    in_depth: peers are timed with the batch of their users, too, and so are the bare FFTs of short-time spectra.
    """

    suite: str
    sample_rate: float
    device: str = "cpu"
    against: Sequence[str] = ()
    rounds: int = 5
    shortest: float = SHORTEST_MEASUREMENT
    at_once: bool = False
    in_depth: bool = False
    progress: Progress = lambda _: None

    def __post_init__(self) -> None:
        unknown = sorted(set(self.against) - PEERS.keys())
        if unknown:
            raise ParameterError(f"no library called {', '.join(unknown)}; choose from {', '.join(PEERS)}")

    def time_transforms(self, transforms: Sequence[Given], clips: Clips) -> list[Row]:
        """Every transform by specconv and every peer: a row each, also for what was not run.

        Raises ParameterError for parameters that specconv itself cannot build.
        """
        rows = []
        for given in transforms:
            lineup = Lineup(given, self.sample_rate, self.device, clips.first[0, :EXCERPT])
            title = str(given.get("name") or given["type"])
            rows += self._hold(title, list(lineup.contestants(self.against, in_depth=self.in_depth)), [given], clips)
        return rows

    def time_together(self, title: str, transforms: Sequence[Given], clips: Clips) -> Row:
        """All transforms as one TransformSet, which shares the work they have in common."""
        contestant = all_together(transforms, self.sample_rate, self.device, clips.first[0, :EXCERPT])
        return self._hold(title, [contestant], transforms, clips)[0]

    def _hold(
        self, title: str, contestants: Sequence[Contestant], transforms: Sequence[Given], clips: Clips
    ) -> list[Row]:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # libraries warn of their own defaults, at every call
            entries = [Entry(one, len(clips.lengths) if self.at_once else None) for one in contestants]
            for entry in entries:
                self.progress(f"{title}: {entry.contestant.library}, first call")
                entry.begin(clips.first[:, :EXCERPT])
            outputs = _output_bytes(transforms, clips, self.sample_rate)
            copies = self._run(title, [entry for entry in entries if entry.prepared], clips, outputs)
        samples = clips.n_samples
        return [
            Row(
                suite=self.suite,
                transform=title,
                parameters=entry.contestant.parameters,
                library=entry.contestant.library,
                version=entry.contestant.version,
                device=entry.contestant.device,
                clips=len(clips.lengths),
                audio_seconds=samples / self.sample_rate,
                timing=None if entry.failed else entry.timing,
                first_call_seconds=entry.first_call_seconds,
                copies=copies if entry.contestant.device != "cpu" else Copies(),
                floor_seconds=floor_seconds(4 * samples, outputs, copy_bandwidth(entry.contestant.device)),
                max_rel_error=entry.agreement.error if entry.agreement else None,
                status=entry.status,
                work=entry.contestant.work,
            )
            for entry in entries
        ]

    def _run(self, title: str, entries: Sequence[Entry], clips: Clips, output_bytes: int) -> Copies:
        """All that could be built, in rounds over every chunk; each entry's time grows by each chunk's."""
        copies = Copies()
        for chunk in clips:
            devices = {entry.contestant.device for entry in entries}
            placed = {device: [batch.to(device) for batch in chunk] for device in devices}
            for batch in chunk if self.device != "cpu" else ():
                share = output_bytes * sum(waveform.numel() for waveform in batch) // clips.n_samples
                copies += time_copies(batch.waveforms, share, self.device)
            for entry in entries:
                self.progress(f"{title}: {entry.contestant.library}, warming up")
                entry.warm_up(placed[entry.contestant.device], 4 + output_bytes // clips.n_samples)
            ready = {entry.contestant.library: entry for entry in entries if not entry.failed}
            timings = time_interleaved(
                {name: entry.call for name, entry in ready.items()},
                clock={name: clock_of(entry.contestant.device) for name, entry in ready.items()},
                warmed={name: entry.seconds_expected for name, entry in ready.items()},
                rounds=self.rounds,
                shortest=self.shortest,
                progress=partial(_prefixed, self.progress, title),
            )
            for name, timing in timings.items():
                ready[name].add(timing)
        return copies


class Entry:
    """A contestant on its way through a contest."""

    def __init__(self, contestant: Contestant, batch: int | None = None) -> None:
        """batch: clips at once; the number that suits it best if None."""
        self.contestant, self._batch = contestant, batch
        self.prepared: Prepared | None = None
        self.agreement: Agreement | None = None
        self.timing: Timing | None = None
        self.first_call_seconds: float | None = None
        self.call: Call = lambda: None
        self.seconds_expected = 0.0
        self._fault: str | None = None

    @property
    def failed(self) -> bool:
        return self._fault is not None

    @property
    def status(self) -> str:
        return f"not run: {self._fault}" if self.agreement is None or self.failed else str(self.agreement)

    def begin(self, excerpt: torch.Tensor) -> None:
        """Build it, compute the excerpt ``(1, time)`` and judge the result."""

        def first_call() -> tuple[Prepared, Any]:
            prepared = self.contestant.prepare()
            return prepared, prepared.run(waveform)

        waveform = excerpt.to(self.contestant.device)
        with self._survive():
            self.contestant.load()
            self.first_call_seconds, (prepared, result) = time_first(first_call, self.contestant.device)
            self.agreement, self.prepared = self.contestant.judge(result), prepared

    def warm_up(self, chunk: Chunk, sample_bytes: int) -> None:
        """Make ``call`` compute all clips of a chunk, and call it once.

        The first time, the number of clips to compute at once is chosen; sample_bytes: of a sample and what becomes
        of it.
        """
        prepared, device = self.prepared, self.contestant.device
        if prepared is None or self.failed:
            return
        clock = clock_of(device)
        with self._survive():
            if self._batch is None:
                largest = max(chunk, key=len)
                clip_bytes = sample_bytes * largest.waveforms.shape[1]
                memory = device_memory(device)
                self._batch = fastest_batch(prepared, largest, clock, clip_bytes=clip_bytes, memory=memory)
            self.call = in_batches(prepared, chunk, self._batch)
            self.seconds_expected = clock(self.call, 1)

    def add(self, timing: Timing) -> None:
        """Count the time of one more batch of clips."""
        self.timing = timing if self.timing is None else self.timing + timing

    @contextmanager
    def _survive(self) -> Iterator[None]:
        """What a foreign library raises becomes its row's reason; specconv's own errors are everyone's."""
        try:
            yield
        except NotRunError as fault:
            self._fault = str(fault)
        except Exception as fault:
            if self.contestant.library.startswith("specconv"):
                raise
            self._fault = in_one_line(fault)


def _output_bytes(transforms: Sequence[Given], clips: Clips, sample_rate: float) -> int:
    """Bytes of all specgrams of all clips, as specconv gives them."""
    total = 0
    for given in transforms:
        transform = build_transform(given, sample_rate)
        frames = sum(n * transform.n_frames(samples) for samples, n in Counter(clips.lengths).items())
        total += transform.n_bins * frames * transform.dtype.itemsize
    return total


def _prefixed(progress: Progress, title: str, what: str) -> None:
    progress(f"{title}: {what}")
