"""Conversions in processes of their own, which start in no time and may be killed.

A server imports everything once and then forks: each request is one conversion by one child, and several may be under
way. Used by the tests of this folder and by the scripts that kill and measure conversions.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refused_calls import refuse

WATCHED = ("open", "os.rename", "os.remove", "os.mkdir", "os.link", "os.truncate")


@dataclass(frozen=True)
class Ended:
    """How a conversion ended. signal: that killed it, or 0. said: the error, empty if there was none.

    report: None unless it came to one. notices: that it gave. events: how often it was about to change its folder.
    peak: MiB.
    """

    signal: int
    said: str
    report: Mapping[str, Any] | None
    notices: list[str]
    events: int
    peak: float


class Run:
    """One conversion that is under way."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server
        self.pid = int(self._line())

    def _line(self) -> str:
        assert self._server.stdout is not None
        return self._server.stdout.readline()

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)

    def wait(self) -> Ended:
        print(json.dumps({"wait": self.pid}), file=self._server.stdin, flush=True)  # its number is its own until then
        return Ended(**json.loads(self._line()))


class Runs:
    """The server."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def begin(
        self,
        audio: Path,
        job: Any,
        out: Path,
        *,
        die_at: int = 0,
        stop_at: int = 0,
        user: int | None = None,
        limits: Mapping[str, int] | None = None,
        constants: Mapping[str, int] | None = None,
        refused: Mapping[str, int] | None = None,
        **options: Any,
    ) -> Run:
        """Start a conversion.

        die_at: it kills itself when it is about to change its folder for the so-many-th time. stop_at: it stops itself
        then. user: number of the user to be. limits: of the resource module. constants: by their dotted names, to be
        set. refused: system calls that fail, with their errors. options: of `specconv.convert`.
        """
        request = {"audio": str(audio), "job": job, "out": str(out), "options": options}
        request |= {"die_at": die_at, "stop_at": stop_at, "user": user}
        request |= {"limits": dict(limits or {}), "constants": dict(constants or {}), "refused": dict(refused or {})}
        assert self._server.stdin is not None
        print(json.dumps(request), file=self._server.stdin, flush=True)
        return Run(self._server)

    def convert(self, audio: Path, job: Any, out: Path, **options: Any) -> Ended:
        return self.begin(audio, job, out, **options).wait()

    def close(self) -> None:
        self._server.communicate()


@contextmanager
def separate_runs() -> Iterator[Runs]:
    runs = Runs()
    try:
        yield runs
    finally:
        runs.close()


def contents(out: Path) -> dict[str, Any]:
    """What a finished folder holds, but for the time of its index; hidden files too."""
    found: dict[str, Any] = {path.name: path.read_bytes() for path in out.iterdir()}
    if "index.json" in found:
        found["index.json"] = {**json.loads(found["index.json"]), "created": ""}
    return found


def until(condition: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.002)


def _serve() -> None:
    import resource

    import specconv.executors  # noqa: F401
    from specconv.shards import create_shard  # noqa: F401 (loaded when first asked for)

    pipes: dict[int, int] = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            _answer(request["wait"], pipes.pop(request["wait"]))
            continue
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if request["refused"]:
                refuse(request["refused"])
            for name, most in request["limits"].items():
                resource.setrlimit(getattr(resource, name), (most, most))
            for name, value in request["constants"].items():
                module, _, constant = name.rpartition(".")
                setattr(importlib.import_module(module), constant, value)
            if request["user"] is not None:
                os.setgroups([])
                os.setuid(request["user"])
            _convert(request, writing)
        os.close(writing)
        pipes[child] = reading
        print(child, flush=True)


def _answer(child: int, reading: int) -> None:
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    _, status, usage = os.wait4(child, 0)
    said = {"said": "", "report": None, "notices": [], "events": 0, **(json.loads(told) if told else {})}
    ended = {**said, "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}
    print(json.dumps({**ended, "peak": usage.ru_maxrss / 1024}), flush=True)


def _convert(request: dict[str, Any], writing: int) -> None:
    from dataclasses import asdict

    import specconv

    events = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal events
        if event in WATCHED and isinstance(arguments[0], str | bytes | Path):
            changes = event != "open" or (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR))
            if changes and os.fspath(arguments[0]).startswith(request["out"]):
                events += 1
                for key, number in (("die_at", signal.SIGKILL), ("stop_at", signal.SIGSTOP)):
                    if events == request[key]:
                        os.kill(os.getpid(), number)

    sys.addaudithook(watch)

    class Listening(specconv.pipeline.Silent):
        def notice(self, message: str) -> None:
            told["notices"].append(message)

    told: dict[str, Any] = {"notices": []}
    try:
        report = specconv.convert(
            request["audio"], request["job"], request["out"], progress=Listening(), **request["options"]
        )
        told["report"] = {**asdict(report), "out": str(report.out)}
    except BaseException as error:
        told["said"] = f"{type(error).__name__}: {error}"
    os.write(writing, json.dumps({**told, "events": events}).encode())
    os._exit(0)


if __name__ == "__main__":
    _serve()
