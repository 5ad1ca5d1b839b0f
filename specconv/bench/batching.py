"""How many clips a library is handed at once: as many as suit it best, tried before it is timed."""

from __future__ import annotations

from collections.abc import Callable

import torch

from specconv.bench.peers import Prepared
from specconv.bench.timing import Clock

CANDIDATES = (1, 4, 16, 64, 250, 1000)  # clips; the published experiments took 1000
WORTH_TRYING = 1.1  # a larger batch so many times slower a clip than the best so far ends the search
LARGEST_SHARE = 0.25  # of the memory, that the outputs of one batch may need with what a library keeps beside them
COPIES_KEPT = 6  # outputs' worth of memory that a library may need at once: real, imaginary, squares, padding


def in_batches(prepared: Prepared, waveforms: torch.Tensor, size: int) -> Callable[[], None]:
    """A call that computes all ``waveforms (n_clips, time)``, ``size`` at a time, and drops the results."""

    def call() -> None:
        with torch.inference_mode():
            for start in range(0, len(waveforms), size):
                prepared.run(waveforms[start : start + size])

    return call


def fastest_batch(prepared: Prepared, waveforms: torch.Tensor, clock: Clock, *, clip_bytes: int, memory: int) -> int:
    """The batch size of CANDIDATES with the least time a clip; all of ``waveforms`` if they are fewer.

    clip_bytes: input and output of one clip; memory: of the device, bytes. Each candidate is run twice, the
    second time measured. A candidate that fails for want of memory ends the search; an error of a single clip
    is the caller's.
    """
    most = min(len(waveforms), prepared.largest_batch or len(waveforms))
    most = max(1, min(most, int(LARGEST_SHARE * memory / (COPIES_KEPT * clip_bytes))))
    best, least = 1, float("inf")
    for size in (*(size for size in CANDIDATES if size < most), most) if most > 1 else ():
        try:
            call = in_batches(prepared, waveforms[:size], size)
            clock(call, 1)
            seconds = clock(call, 1) / size
        except Exception as fault:
            if size == 1 or not is_out_of_memory(fault):
                raise
            return best
        if seconds < least:
            best, least = size, seconds
        elif seconds > WORTH_TRYING * least:
            return best
    return best


def is_out_of_memory(fault: Exception) -> bool:
    """torch says so by type on a GPU and by text on a CPU, NumPy by MemoryError."""
    return isinstance(fault, (MemoryError, torch.OutOfMemoryError)) or "not enough memory" in str(fault)
