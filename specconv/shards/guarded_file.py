"""The file that a shard is read from, as HDF5 sees it: what libhdf5 is known to crash or loop on does not reach it.

Shards are written in the format of HDF5 1.10, whose metadata carry checksums; older ones, whose do not, are refused.
But for the collections of strings (HDF5's global heaps): libhdf5 2.0 walks one without end if its free space has no
size, so each is walked here first. And checksums can be made right again: a table of chunks (HDF5's extensible array)
that says it has more entries than the file has bytes would be counted through.
"""

from __future__ import annotations

import os
from pathlib import Path

import specconv.shards.at_exit  # noqa: F401 (closes such files before Python ends)

_SUPERBLOCK = b"\x89HDF\r\n\x1a\n\x03"
_COLLECTION = b"GCOL"
_TABLE = b"EAHD"
_TABLE_COUNTS = slice(12, 60)  # six numbers: blocks, bytes and entries
_HEAD = 16  # bytes before the first object of a collection; of the head of an object too


class GuardedFile:
    """A file for reading, as h5py's driver for Python files wants it. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._size = os.fstat(self._file.fileno()).st_size
        head = self._file.read(len(_SUPERBLOCK))
        if head != _SUPERBLOCK:
            self._file.close()
            kind = "HDF5, but not as specconv writes it" if head[:8] == _SUPERBLOCK[:8] else "not HDF5"
            raise OSError(f"it is {kind}")

    def close(self) -> None:
        self._file.close()

    def readinto(self, content: memoryview) -> int:
        content = memoryview(content).cast("B")  # h5py gives a view of Cython's
        start, rest = self._file.tell(), content
        while len(rest):
            n = self._file.readinto(rest)
            if not n:
                raise OSError(f"nothing at byte {start + len(content) - len(rest)}, beyond the end")
            rest = rest[n:]
        if content[:4] == _COLLECTION:
            self._check_collection(start)
        if content[:4] == _TABLE:
            self._check_table(start, bytes(content[_TABLE_COUNTS]))
        return len(content)

    def read_at(self, start: int, size: int) -> bytes:
        self._file.seek(start)
        content = self._file.read(size)
        if len(content) < size:
            raise OSError(f"nothing at byte {start + len(content)}, beyond the end")
        return content

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def _check_collection(self, start: int) -> None:
        """Raises OSError for a collection of strings whose objects do not lead to its end."""
        content = self.read_at(start, _HEAD)
        size = int.from_bytes(content[8:16], "little")
        if not _HEAD <= size <= self._size - start:
            raise OSError(f"the collection of strings at byte {start} has no possible size")
        content = self.read_at(start, size)
        place = _HEAD
        while place + _HEAD <= len(content):
            number = int.from_bytes(content[place : place + 2], "little")
            length = int.from_bytes(content[place + 8 : place + 16], "little")
            # Object 0 is the free space, whose length includes its head; the others are padded to 8 bytes.
            place += length if number == 0 else _HEAD + (length + 7) // 8 * 8
            if (number, length) == (0, 0) or place > size:
                raise OSError(f"the collection of strings at byte {start} is damaged")

    def _check_table(self, start: int, counts: bytes) -> None:
        if any(int.from_bytes(counts[i : i + 8], "little") > self._size for i in range(0, len(counts), 8)):
            raise OSError(f"the table of chunks at byte {start} has more entries than the file has bytes")
