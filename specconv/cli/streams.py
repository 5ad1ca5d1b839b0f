"""stdout and stderr that cannot end a command: a full disk, a reader that left or a terminal that is gone.

What is only said never decides whether work is done. A result that stdout should have taken is asked for with
``lost_output``.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TextIO


class Writer(io.RawIOBase):
    """The unbuffered end of a stream. It takes everything, and keeps its first error instead of raising it.

    error: None while all could be written. A pipe whose reader left is no error: ``| head`` has seen enough.
    """

    def __init__(self, descriptor: int) -> None:
        self._file = io.FileIO(descriptor, "wb", closefd=False)
        self.error: OSError | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return self._file.isatty()

    def write(self, data: object) -> int:
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        try:
            while (written := self._file.write(view)) is None:  # a full pipe that does not block
                select.select([], [self], [])
        except OSError as error:
            if error.errno != errno.EPIPE:
                self.error = self.error or error
            return len(view)
        return written


def prepare_streams() -> None:
    """Give stdout and stderr writers that never fail; call it before anything opens a file.

    A closed stream leads nowhere from now on: a shard that got its number would receive what libraries print.
    Characters that the terminal's encoding lacks are written with backslashes.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdout, sys.stderr = _prepared(sys.stdout, 1), _prepared(sys.stderr, 2)


def lost_output() -> OSError | None:
    """Why stdout could not take all that was written to it, None if it did."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    sys.stdout.flush()
    return raw.error if isinstance(raw, Writer) else None


def _prepared(stream: TextIO | None, descriptor: int) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(Writer(descriptor)),
        encoding=stream.encoding if stream is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )
