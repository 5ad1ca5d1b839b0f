"""How many clips a library is handed at once: as many as suit it best, tried before it is timed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from specconv.bench.clips import Batch
from specconv.bench.peers import Prepared
from specconv.bench.timing import Clock
from specconv.engines.memory import is_out_of_memory

CANDIDATES = (1, 4, 16, 64, 250, 1000)  # clips; the published experiments took 1000
SAMPLE = 32  # clips that every candidate computes: memory that one batch leaves is the next one's
TRIES, LONG_ENOUGH = 5, 0.3  # measurements of a candidate; s, after which there are no more
WORTH_TRYING = 1.1  # a larger batch so many times slower a clip than the best so far ends the search
LARGEST_SHARE = 0.25  # of the memory, that the outputs of one batch may need with what a library keeps beside them
COPIES_KEPT = 6  # outputs' worth of memory that a library may need at once: real, imaginary, squares, padding


def in_batches(prepared: Prepared, batches: Iterable[Batch], size: int) -> Callable[[], None]:
    """A call that computes all clips of ``batches``, ``size`` at a time, and lets go of the results.

    Clips that are padded go one by one through a library that knows nothing of padding.
    """

    def call() -> None:
        with torch.inference_mode():
            for batch in batches:
                for start in range(0, len(batch), size):
                    part = batch.part(start, start + size)
                    if part.lengths is None:
                        prepared.run(part.waveforms)
                    elif prepared.run_padded is not None:
                        prepared.run_padded(part.waveforms, part.lengths)
                    else:
                        for waveform in part:
                            prepared.run(waveform)

    return call


def fastest_batch(prepared: Prepared, batch: Batch, clock: Clock, *, clip_bytes: int, memory: int) -> int:
    """The number of clips of CANDIDATES that takes the least time a clip; all of ``batch`` if it has fewer.

    clip_bytes: input and output of one clip; memory: of the device, bytes. Each candidate is run over SAMPLE clips or
    one batch of its own, several times if they are short, and the shortest time counts. One that fails for want of
    memory ends the search; an error of a single clip is the caller's.
    """
    most = min(len(batch), prepared.largest_batch or len(batch))
    most = max(1, min(most, int(LARGEST_SHARE * memory / (COPIES_KEPT * clip_bytes))))
    if prepared.all_at_once:
        return most
    best, least = 1, float("inf")
    for size in (*(size for size in CANDIDATES if size < most), most) if most > 1 else ():
        try:
            clips = min(len(batch), max(size, SAMPLE))
            call = in_batches(prepared, [batch.part(0, clips)], size)
            if least == float("inf"):
                clock(call, 1)  # the first of this length may build kernels
            times: list[float] = []
            while len(times) < TRIES and sum(times) < LONG_ENOUGH:
                times.append(clock(call, 1))
            seconds = min(times) / clips
        except Exception as fault:
            if size == 1 or not is_out_of_memory(fault):
                raise
            return best
        if seconds < least:
            best, least = size, seconds
        elif seconds > WORTH_TRYING * least:
            return best
    return best
