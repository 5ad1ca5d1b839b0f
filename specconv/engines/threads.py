"""One core an operation, and blocks of work side by side on several cores.

torch shares an operation among cores by OpenMP. Between two operations its threads wait for each other, and spin while
they wait: where another program holds one of two cores, everything took ten times as long. The last digits change with
the number of threads, too: the FFT and BLAS libraries take other paths. So here each thread computes with one core,
and several threads take blocks of work that need nothing of each other. Neither a busy core nor the number of cores
matters then: a busy core costs its share of the speed, and the digits are those of one core.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor

MOST_WORKERS = 16  # blocks at once; each holds Python's lock for a tenth of its time, and memory beside the output

Item = TypeVar("Item")

_pools: dict[int, ThreadPoolExecutor] = {}
_making = threading.Lock()
_here = threading.local()


def is_plain(*tensors: Tensor) -> bool:
    """Whether these are computed with on a CPU, without a gradient and outside of a compiled graph."""
    if torch.compiler.is_compiling() or any(t.device.type != "cpu" for t in tensors):
        return False
    return not (torch.is_grad_enabled() and any(t.requires_grad for t in tensors))


def workers() -> int:
    """Threads that `side_by_side` takes when it is called in this thread."""
    if torch.compiler.is_compiling():
        return 1
    cores: int | None = getattr(_here, "cores", None)
    return min(cores or torch.get_num_threads(), MOST_WORKERS)


@contextmanager
def one_core() -> Iterator[None]:
    """In this thread torch shares no operation among cores; `side_by_side` has all of them nevertheless."""
    before, cores = torch.get_num_threads(), workers()
    torch.set_num_threads(1)
    _here.cores = cores
    try:
        yield
    finally:
        _here.cores = None
        torch.set_num_threads(before)


def pool(threads: int, name: str) -> ThreadPoolExecutor:
    """Threads in which torch computes with one core.

    A new thread takes the number of all others, but not before its first operation that torch itself shares out:
    products and FFTs before that take all cores, and round otherwise. Which thread is new when is a matter of
    chance, and so were the last digits of a run.
    """

    def begin() -> None:
        torch.get_num_threads()  # takes the number of all others now
        torch.set_num_threads(1)

    return ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=begin)


def side_by_side(work: Callable[[Item], None], items: Sequence[Item]) -> None:
    """``work`` on every item, each on one core, on as many threads as `workers` says.

    The result is that of a loop, to the last digit, on any number of cores, if ``work`` writes to places of its own.
    No gradient is recorded. The first error is raised, when all threads rest.
    """
    threads = workers()
    if threads == 1:
        with torch.no_grad():
            for item in items:
                work(item)
        return
    mode = torch.inference_mode if torch.is_inference_mode_enabled() else torch.no_grad
    left = deque(items)

    def take() -> None:
        try:
            with mode():
                while left:
                    try:
                        item = left.popleft()
                    except IndexError:  # another thread has just taken the last one
                        return
                    work(item)
        except BaseException:
            left.clear()
            raise

    running = [_pool(threads).submit(take) for _ in range(min(threads, len(items)))]
    try:
        wait(running)
    finally:
        left.clear()  # when this thread is interrupted
    for each in running:
        each.result()


def on_cores(signal: Tensor, work: Callable[[Item], None], items: Sequence[Item]) -> None:
    """``work`` on every item: `side_by_side` if ``signal`` is on a CPU, one after the other on other devices."""
    if signal.device.type == "cpu":
        side_by_side(work, items)
        return
    for item in items:
        work(item)


def concatenated(function: Callable[[Tensor], Tensor], values: Tensor, most: int) -> Tensor:
    """``function`` of the rows of ``values``, at most so many together; on a CPU each core takes some of them."""
    if not is_plain(values):
        return torch.cat([function(part) for part in torch.split(values, most)])
    parts = torch.split(values, min(most, -(-len(values) // workers())))
    found: dict[int, Tensor] = {}

    def work(i: int) -> None:
        found[i] = function(parts[i])

    side_by_side(work, range(len(parts)))
    return torch.cat([found[i] for i in range(len(parts))])


def _pool(threads: int) -> ThreadPoolExecutor:
    with _making:
        if threads not in _pools:
            before = torch.get_num_threads()
            made = _pools[threads] = pool(threads, "specconv")
            started = threading.Barrier(threads + 1)
            for _ in range(threads):
                made.submit(started.wait)
            started.wait()
            torch.set_num_threads(before)  # what threads that are still to come shall take
        return _pools[threads]


def _forget() -> None:
    """In a forked process there are no threads but the one that forked it."""
    global _making
    _pools.clear()
    _making = threading.Lock()


if hasattr(os, "register_at_fork"):  # Windows has none, and does not fork
    os.register_at_fork(after_in_child=_forget)
