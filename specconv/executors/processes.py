"""Shards made by several processes, one a core or one a GPU, each of which takes whole shards as it comes free.

Threads of one process wait for Python's one lock; processes do not. But a process takes about two seconds to begin,
so this process begins alone, with all of its threads. After PATIENCE seconds it looks at what is left: if that would
take longer than WORTHWHILE, it starts the others, goes on until they are there, and then only waits for them.
(MEASURED)
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import torch

from specconv.errors import OutputError
from specconv.executors.in_process import InProcess
from specconv.pipeline import Recipe, ShardResult, ShardTask, converter_for, make_shards
from specconv.pipeline.shard import Advance

PATIENCE = 1.0  # s
WORTHWHILE = 6.0  # s


class Processes:
    """The executor of one process for each of ``devices``: ``cpu`` once for each core, or some GPUs."""

    def __init__(self, devices: Sequence[torch.device]) -> None:
        self.devices = tuple(devices)
        # A new process of this kind begins as a copy of a server that has imported torch already.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["specconv.executors.processes"])

    def run(
        self, recipe: Recipe, tasks: Sequence[ShardTask], folder: Path, *, strict: bool, advance: Advance
    ) -> Generator[ShardResult]:
        waiting, workers = deque(tasks), list[_Worker]()
        clips, done, started = sum(len(task.clips) for task in tasks), 0, time.perf_counter()

        def count(n_clips: int, audio_seconds: float) -> None:
            nonlocal done
            done += n_clips
            advance(n_clips, audio_seconds)
            spent = time.perf_counter() - started
            if not workers and waiting and spent > PATIENCE and (clips - done) / done * spent > WORTHWHILE:
                request = (recipe, folder, strict)
                workers.extend(_Worker(self._context, device, request) for device in self.devices[: len(waiting)])

        def until_others_work() -> Iterator[ShardTask]:
            while waiting and not (workers and all(worker.is_there() for worker in workers)):
                yield waiting.popleft()

        try:
            own = InProcess(self.devices[0])
            yield from make_shards(
                converter_for(recipe, own.device),
                until_others_work(),
                folder,
                threads=own.threads,
                strict=strict,
                advance=count,
            )
            busy = {worker.connection: worker for worker in workers}
            while busy:
                for connection in wait(list(busy)):
                    worker = busy[connection]
                    match worker.receive():
                        case "next":
                            worker.send(waiting.popleft() if waiting else None)
                        case ("advance", n_clips, audio_seconds):
                            advance(n_clips, audio_seconds)
                        case ShardResult() as result:
                            yield result
                        case "end":
                            del busy[connection]
                        case BaseException() as error:
                            raise error
        finally:
            for worker in workers:
                worker.stop()


class _Worker:
    """One process, as this one sees it."""

    def __init__(self, context: Any, device: torch.device, request: tuple[Recipe, Path, bool]) -> None:
        self.connection, other = context.Pipe()
        self._process = context.Process(target=_work, args=(other, device, *request), daemon=True)
        self._process.start()
        other.close()

    def is_there(self) -> bool:
        """Whether it asks for its first task, or has ended."""
        return bool(self.connection.poll())

    def receive(self) -> Any:
        """Return its message. Raises OutputError if the process is gone."""
        try:
            return self.connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            raise OutputError(
                f"a worker process ended with status {self._process.exitcode} before its shard was whole (a negative "
                "number is a signal; -9 may be the system, out of memory); run the same command again, or with fewer "
                "--workers"
            ) from None

    def send(self, task: ShardTask | None) -> None:
        try:
            self.connection.send(task)
        except (BrokenPipeError, ConnectionResetError):
            self.receive()  # says why

    def stop(self) -> None:
        """End the process; what it has not finished is removed by itself."""
        self.connection.close()
        self._process.join()


def _work(connection: Connection, device: torch.device, recipe: Recipe, folder: Path, strict: bool) -> None:
    """Make shards as long as there are tasks. The connection breaks when the first process ends, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process decides
    torch.set_num_threads(1)

    def tasks() -> Iterator[ShardTask]:
        while True:
            connection.send("next")
            if (task := connection.recv()) is None:
                return
            yield task

    def advance(clips: int, audio_seconds: float) -> None:
        connection.send(("advance", clips, audio_seconds))

    try:
        for result in make_shards(converter_for(recipe, device), tasks(), folder, strict=strict, advance=advance):
            connection.send(result)
        connection.send("end")
    except (BrokenPipeError, ConnectionResetError, EOFError):
        pass
    except BaseException as error:
        connection.send(error)
