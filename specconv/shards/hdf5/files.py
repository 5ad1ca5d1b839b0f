"""Files as libhdf5 sees them: `InputFile` and `OutputFile` go through Python, so that specconv decides what it meets.

What libhdf5 is known to crash or loop on does not reach it. Shards are written in the format of HDF5 1.10, whose
metadata carry checksums; older ones, whose do not, are refused.
"""

from __future__ import annotations

import atexit
import contextlib
import os

import h5py
from h5py import h5f, h5fd, h5g, h5p

from specconv.storage import NewObject, Store, sha256

_SUPERBLOCK = b"\x89HDF\r\n\x1a\n\x03"
_COLLECTION = b"GCOL"
_TABLE = b"EAHD"
_TABLE_COUNTS = slice(12, 60)  # six numbers: blocks, bytes and entries
_HEAD = 16  # bytes before the first object of a collection; of the head of an object too


class InputFile:
    """A file for reading, as h5py's driver for Python files wants it. Raises OSError.

    libhdf5 2.0 walks a collection of strings (HDF5's global heap) without end if its free space has no size, so each is
    walked here first. And checksums can be made right again: a table of chunks (HDF5's extensible array) that says it
    has more entries than the file has bytes would be counted through.
    """

    def __init__(self, store: Store, name: str) -> None:
        self.size = store.size(name)
        self._file = store.open(name)
        try:
            head = self._file.read(len(_SUPERBLOCK)) or b""
        except BaseException:
            self._file.close()
            raise
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
        content = self._file.read(size) or b""
        if len(content) < size:
            raise OSError(f"nothing at byte {start + len(content)}, beyond the end")
        return content

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size) or b""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def _check_collection(self, start: int) -> None:
        """Raise OSError for a collection of strings whose objects do not lead to its end."""
        content = self.read_at(start, _HEAD)
        size = int.from_bytes(content[8:16], "little")
        if not _HEAD <= size <= self.size - start:
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
        if any(int.from_bytes(counts[i : i + 8], "little") > self.size for i in range(0, len(counts), 8)):
            raise OSError(f"the table of chunks at byte {start} has more entries than the file has bytes")


class OutputFile:
    """A file for writing that never fails, as HDF5 sees it.

    libhdf5 2.0 dies of a segmentation fault at exit after a write or a close that failed. So a failure is kept, HDF5
    hears that all is well, and `check` raises it. Owning the descriptor also means that ``fsync`` hears of every
    failure, and that HDF5 takes no file lock: the store has a lock of its own.
    """

    def __init__(self, new: NewObject) -> None:
        self._new, self._file = new, new.file
        self._failure: BaseException | None = None
        self._discarding = False
        self._process = os.getpid()

    def check(self) -> None:
        """Raise the first failure: an OutputError, or KeyboardInterrupt."""
        if isinstance(self._failure, OSError):
            raise self._new.error(self._failure) from self._failure
        if self._failure is not None:
            raise self._failure

    def commit(self) -> tuple[int, str]:
        """Give the file its name; return its size and SHA-256. Raises as `check`."""
        self.check()
        try:
            self._file.seek(0)
            size, digest = os.fstat(self._file.fileno()).st_size, sha256(self._file)
            self._new.commit()
        except OSError as error:
            raise self._new.error(error) from error
        return size, digest

    def discard(self) -> None:
        """Let HDF5 write nothing more."""
        self._discarding = True

    def remove(self) -> None:
        """Close the file and remove it, unless it was committed."""
        self._new.discard()

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


def create_file(output: OutputFile) -> h5py.File:
    """Create a file in the format of HDF5 1.10 that does not store when it was made: equal input, equal bytes."""
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_V110, h5f.LIBVER_V110)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    elements, slots, _, preemption = access.get_cache()
    # Every chunk is written whole and once: a chunk cache would only copy it.
    access.set_cache(elements, slots, 0, preemption)
    access.set_fileobj_driver(h5fd.fileobj_driver, output)
    creation = h5p.create(h5p.FILE_CREATE)
    creation.set_obj_track_times(False)
    return h5py.File(h5f.create(repr(output).encode(), h5f.ACC_TRUNC, creation, access))


def create_group(parent: h5py.Group, name: str) -> h5py.Group:
    """Create a group that does not store when it was made."""
    creation = h5p.create(h5p.GROUP_CREATE)
    creation.set_obj_track_times(False)
    return h5py.Group(h5g.create(parent.id, name.encode(), None, creation))


@atexit.register
def _close_files() -> None:
    """Close, before Python ends, the files that HDF5 reads and writes through Python.

    libhdf5 closes what is open when the process ends. By then Python is gone, and asking a file of Python to close is
    a segmentation fault: a worker of a DataLoader, whose files are never closed, would end in one.
    """
    # A dataset alone keeps its file open.
    kinds = h5py.h5f.OBJ_FILE | h5py.h5f.OBJ_GROUP | h5py.h5f.OBJ_DATASET | h5py.h5f.OBJ_ATTR
    for item in h5py.h5f.get_obj_ids(types=kinds):
        with contextlib.suppress(Exception):
            file = h5py.h5i.get_file_id(item)
            if file.get_access_plist().get_driver() == h5py.h5fd.fileobj_driver:
                h5py.File(file).close()
