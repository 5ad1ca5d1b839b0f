"""SIGINT and SIGTERM: the first is answered at once and lets the work end tidily, the second ends it.

Shards are written so that they survive any death, so nothing is lost by not waiting. SIGHUP says that the terminal is
gone; work goes on without it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import ClassVar, NoReturn

_SHOW_CURSOR = b"\x1b[?25h"  # a progress display hides it


class Interruption:
    """The handler of both signals. advice: what becomes of the work, said when the first one comes."""

    STATUS: ClassVar[int] = 130

    def __init__(self) -> None:
        self.advice = ""
        self._came = False

    def install(self) -> None:
        """Handle both signals, but for those that whoever started us wants ignored (nohup, a shell's ``&``)."""
        if hasattr(signal, "SIGHUP"):  # not on Windows
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)

    @contextmanager
    def advising(self, advice: str) -> Iterator[None]:
        before, self.advice = self.advice, advice
        try:
            yield
        finally:
            self.advice = before

    def leave(self) -> NoReturn:
        """End at once: as Python takes itself apart, one more signal would end it with another status."""
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(self.STATUS)

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (as signal calls it)
        if self._came:
            _tell(b"Stopped at once.\n")
            os._exit(self.STATUS)
        self._came = True
        _tell(f"\nInterrupted{': ' if self.advice else ''}{self.advice}\n".encode("utf-8", "backslashreplace"))
        raise KeyboardInterrupt


def _tell(message: bytes) -> None:
    """Past all buffers, whose locks the interrupted code may hold."""
    with suppress(OSError):  # nobody listens any more
        os.write(2, (_SHOW_CURSOR if os.isatty(2) else b"") + message)


interruption = Interruption()
