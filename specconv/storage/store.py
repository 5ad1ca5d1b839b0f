"""What a store is: a place that keeps named objects, each whole or absent.

Everything above (``shards``, ``pipeline``) asks for no more than this. Another place, such as an object store, is one
module beside ``folder`` that fulfils `Store`, and one line in `specconv.storage.open_store`.

A store is flat: names hold no ``/``. Methods that read raise OSError (FileNotFoundError for a name that is not there);
methods that write raise OutputError, with the cause and the cure.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import FileIO
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class LockOwner:
    """The process that holds a lock."""

    host: str
    pid: int


class ReadableObject(Protocol):
    """An object that is open for reading: a binary file without a buffer. Any part of it can be read."""

    def read(self, size: int = -1, /) -> bytes | None: ...

    def readinto(self, buffer: memoryview, /) -> int | None: ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def tell(self) -> int: ...

    def close(self) -> None: ...


class NewObject(Protocol):
    """An object that is being written. Nobody sees it before `commit`.

    file: a local file without a buffer, empty, open for writing and reading; HDF5 writes nowhere else.
    """

    file: FileIO

    def commit(self) -> None:
        """Give the object its name, durably, in place of an older one. Raises OSError."""

    def discard(self) -> None:
        """Close the local file and remove it, unless it was committed. Never raises."""

    def error(self, error: OSError) -> Exception:
        """Return the OutputError that tells the user why the object could not be written."""


@runtime_checkable
class Store(Protocol):
    """A place that keeps named objects."""

    def where(self, name: str = "") -> str:
        """Return the address of an object, or of the store, for messages."""

    def names(self) -> list[str]:
        """Return the names of all objects, sorted. Raises OSError where there is no such place."""

    def size(self, name: str) -> int:
        """Return the size of an object in bytes."""

    def open(self, name: str) -> ReadableObject:
        """Open an object for reading."""

    def put(self, name: str, content: bytes) -> None:
        """Store an object, durably, in place of an older one."""

    def create(self, name: str) -> NewObject:
        """Begin an object that only the holder of the lock writes."""

    def delete(self, name: str) -> None:
        """Remove an object durably; do nothing if it is not there."""

    def lock(self, name: str) -> AbstractContextManager[object]:
        """Return the right to write, or to write a part, as a context manager.

        While it is held, nobody else gets the same name, nor one that extends it by ``-``: ``convert`` excludes
        ``convert-1-of-4``, which does not exclude ``convert-2-of-4``. Entering raises OutputError if another process
        holds it, and removes what processes that died left behind.
        """

    def writers(self) -> dict[str, LockOwner]:
        """Return who holds a lock now, by its name. Raises OSError."""
