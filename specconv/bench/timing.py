"""Honest times: what was asked is finished before the clock is read.

A first call (kernels built, code compiled) is timed apart. Then workloads are warmed up and measured in
rounds: a round visits every workload before any is visited again, in an order that rotates, so that a machine
that grows hot or busy troubles all alike. The figure is the median of the rounds; the best is never quoted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
import torch

WIDE_SPREAD = 0.10  # of the median: beyond this a time is not to be relied on
SHORTEST_MEASUREMENT = 0.15  # s; shorter calls are repeated, for whatever else a machine does is noise to them

Call = Callable[[], object]
Progress = Callable[[str], None]
Result = TypeVar("Result")


class Clock(Protocol):
    def __call__(self, call: Call, repeats: int) -> float:
        """Seconds that ``repeats`` calls took, all their work finished."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one workload, each round's; at least one round."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return float(np.median(self.rounds))

    @property
    def quartiles(self) -> tuple[float, float]:
        low, high = np.percentile(self.rounds, (25, 75))
        return float(low), float(high)

    @property
    def iqr(self) -> float:
        """Interquartile range of the rounds, seconds."""
        low, high = self.quartiles
        return high - low

    @property
    def spread(self) -> float:
        """Interquartile range relative to the median."""
        return self.iqr / self.median if self.median else 0.0

    @property
    def is_wide(self) -> bool:
        return self.spread > WIDE_SPREAD

    def __add__(self, other: Timing) -> Timing:
        """Round by round: the time of one set of clips and of another, as if they were one set."""
        if len(self.rounds) != len(other.rounds):
            raise ValueError(f"{len(self.rounds)} rounds and {len(other.rounds)} rounds cannot be added")
        return Timing(tuple(a + b for a, b in zip(self.rounds, other.rounds, strict=True)))


def wall_clock(call: Call, repeats: int) -> float:
    """For work that is finished when the call returns: CPU code."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return time.perf_counter() - start


def device_clock(call: Call, repeats: int, device: str = "cuda") -> float:
    """For CUDA: events on the device's stream, waited for. Without the wait only the launch would be timed."""
    with torch.cuda.device(device):  # an event belongs to the device that is the current one
        begin = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        torch.cuda.synchronize(device)
        begin.record()
        for _ in range(repeats):
            call()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1000.0


def waiting_clock(call: Call, repeats: int) -> float:
    """For Apple's GPU, whose events torch times otherwise: the wall clock, with a wait on both sides."""
    synchronize("mps")
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    synchronize("mps")
    return time.perf_counter() - start


def clock_of(device: str) -> Clock:
    """The clock that waits for ``device`` ("cpu", "cuda", "cuda:1", "mps")."""
    if device.startswith("cuda"):
        return partial(device_clock, device=device)
    return waiting_clock if device.startswith("mps") else wall_clock


def time_interleaved(
    workloads: Mapping[str, Call],
    *,
    clock: Clock | Mapping[str, Clock] = wall_clock,
    rounds: int = 5,
    shortest: float = SHORTEST_MEASUREMENT,
    warmed: Mapping[str, float] | None = None,
    progress: Progress | None = None,
) -> dict[str, Timing]:
    """The times of ``workloads`` (name to call), measured in interleaved rounds.

    clock: one for all, or by name where workloads run on different devices.
    rounds: of each workload, at least 1. shortest: seconds of a measurement; calls are repeated as long.
    warmed: seconds of a call, of the workloads that are warm already; the others are first called once.
    progress: told what is being measured.
    """
    if rounds < 1:
        raise ValueError(f"{rounds} rounds; at least 1 is needed")
    clocks = clock if isinstance(clock, Mapping) else dict.fromkeys(workloads, clock)
    say = progress or (lambda _: None)
    expected = {name: clocks[name](workloads[name], 1) for name in workloads.keys() - (warmed or {}).keys()}
    expected |= warmed or {}
    repeats = {name: max(1, math.ceil(shortest / max(expected[name], 1e-6))) for name in workloads}
    seconds: dict[str, list[float]] = {name: [] for name in workloads}
    order = list(workloads)
    for turn in range(rounds):
        for name in order:
            say(f"{name}: round {turn + 1} of {rounds}")
            if repeats[name] > 1:
                workloads[name]()  # takes back the caches and the pages that the one before it took
            seconds[name].append(clocks[name](workloads[name], repeats[name]) / repeats[name])
        order = order[1:] + order[:1]
    return {name: Timing(tuple(seconds[name])) for name in workloads}


def time_first(call: Callable[[], Result], device: str) -> tuple[float, Result]:
    """Seconds of the very first call (kernels built, code compiled, work finished), and what it gave."""
    start = time.perf_counter()
    result = call()
    synchronize(device)
    return time.perf_counter() - start, result


def synchronize(device: str) -> None:
    """Wait until all that was asked of ``device`` is done."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device.startswith("mps"):
        torch.mps.synchronize()


@dataclass(frozen=True, slots=True)
class Copies:
    """Seconds to move the waveforms to a device and the specgrams back; 0 on the CPU, where nothing moves."""

    to_device: float = 0.0
    to_host: float = 0.0

    @property
    def total(self) -> float:
        return self.to_device + self.to_host

    def __add__(self, other: Copies) -> Copies:
        return Copies(self.to_device + other.to_device, self.to_host + other.to_host)


def time_copies(waveforms: torch.Tensor, specgram_bytes: int, device: str, *, rounds: int = 3) -> Copies:
    """Median copy times of ``waveforms`` (on the host) to ``device`` and of ``specgram_bytes`` back.

    Ordinary (pageable) host memory, as a user's tensors have it.
    """
    if device == "cpu":
        return Copies()
    waveforms = waveforms.cpu()
    specgrams = torch.empty(max(specgram_bytes // 4, 1), dtype=torch.float32, device=device)
    times = time_interleaved(
        {"to device": lambda: waveforms.to(device), "to host": specgrams.cpu},
        clock=clock_of(device),
        rounds=rounds,
    )
    return Copies(times["to device"].median, times["to host"].median)


@contextmanager
def fixed_threads(threads: int) -> Iterator[None]:
    """torch with exactly so many CPU threads, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
