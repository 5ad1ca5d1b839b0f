"""Threads of the pipeline, in which torch does as it is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch


def pool(threads: int, name: str, *, cores: int = 1) -> ThreadPoolExecutor:
    """So many threads, in each of which torch shares an operation among so many cores.

    A new thread takes the number of all others, but not before its first operation that torch itself shares out:
    products and FFTs before that take all cores, and round otherwise. Which thread is new when is a matter of
    chance, and so were the last digits of a run.
    """

    def begin() -> None:
        torch.get_num_threads()  # takes the number of all others now
        torch.set_num_threads(cores)

    return ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=begin)
