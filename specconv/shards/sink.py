"""The file that a shard is written into, as HDF5 sees it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import specconv.shards.at_exit  # noqa: F401 (closes such files before Python ends)
from specconv.shards.durable import output_error
from specconv.shards.index import digest


class Sink:
    """The file as HDF5 sees it: one that never fails.

    libhdf5 2.0 dies of a segmentation fault at exit after a write or a close that failed. So a failure is
    kept, HDF5 is told that all is well, and ``check`` raises it. Owning the descriptor also means that
    ``fsync`` is told of every failure, and that no HDF5 file lock is taken: the folder has a lock of its own.
    """

    def __init__(self, temporary: Path, path: Path) -> None:
        self._temporary, self._path = temporary, path
        self._failure: BaseException | None = None
        self._discarding = False
        self._process = os.getpid()
        try:
            temporary.unlink(missing_ok=True)
            self._file = temporary.open("xb+", buffering=0)
        except OSError as error:
            raise output_error(path, error) from error

    def check(self) -> None:
        if isinstance(self._failure, OSError):
            raise output_error(self._path, self._failure) from self._failure
        if self._failure is not None:  # KeyboardInterrupt, most likely
            raise self._failure

    def finish(self) -> tuple[int, str]:
        """Flush to the disk; returns the size and the SHA-256. Raises as ``check``, and OSError."""
        self.check()
        os.fsync(self._file.fileno())
        self._file.seek(0)
        return os.fstat(self._file.fileno()).st_size, digest(self._file)

    def discard(self) -> None:
        self._discarding = True

    def remove(self) -> None:
        """Close the file and remove it, unless it has been renamed."""
        with contextlib.suppress(OSError):
            self._file.close()
            if self._process == os.getpid():
                self._temporary.unlink(missing_ok=True)

    # What h5py's driver for Python files calls.

    def write(self, content: memoryview) -> int:
        try:
            if self._is_wanted():
                self._write_all(content)
        except BaseException as failure:
            self._failure = failure
        return len(content)

    def readinto(self, content: memoryview) -> int:
        try:
            rest = memoryview(content).cast("B")  # h5py gives a view of Cython's
            while len(rest) and (n := self._file.readinto(rest)):
                rest = rest[n:]
            rest[:] = bytes(len(rest))  # beyond the end a file is zeros
        except BaseException as failure:
            self._failure = self._failure or failure
        return len(content)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size) or b""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        try:
            if self._is_wanted():
                self._file.truncate(size)
        except BaseException as failure:
            self._failure = failure
        return size or 0

    def flush(self) -> None:
        pass

    def _is_wanted(self) -> bool:
        # A forked child has this object too, and closes it when it ends; the file is its parent's.
        return not self._failure and not self._discarding and self._process == os.getpid()

    def _write_all(self, content: memoryview) -> None:
        while len(content):
            content = content[self._file.write(content) :]
