"""A toy store: objects in memory, as an object store keeps them. It shows what another place to store must do."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from specconv.errors import OutputError
from specconv.storage import LockOwner


class MemoryStore:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.locked: set[str] = set()

    def where(self, name: str = "") -> str:
        return f"memory:/{name}"

    def names(self) -> list[str]:
        return sorted(self.objects)

    def size(self, name: str) -> int:
        return len(self._object(name))

    def open(self, name: str) -> io.BytesIO:
        return io.BytesIO(self._object(name))

    def put(self, name: str, content: bytes) -> None:
        self.objects[name] = content

    def create(self, name: str) -> NewMemoryObject:
        return NewMemoryObject(self, name)

    def delete(self, name: str) -> None:
        self.objects.pop(name, None)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        for other in self.locked:
            if f"{other}-".startswith(f"{name}-") or f"{name}-".startswith(f"{other}-"):
                raise OutputError(f"{self.where()}: {other} is writing here")
        self.locked.add(name)
        try:
            yield
        finally:
            self.locked.remove(name)

    def writers(self) -> dict[str, LockOwner]:
        return {name: LockOwner("here", os.getpid()) for name in self.locked}

    def _object(self, name: str) -> bytes:
        if name not in self.objects:
            raise FileNotFoundError(2, "No such object", name)
        return self.objects[name]


class NewMemoryObject:
    def __init__(self, store: MemoryStore, name: str) -> None:
        self._store, self._name = store, name
        descriptor, path = tempfile.mkstemp()
        self._path, self.file = Path(path), FileIO(descriptor, "rb+")

    def commit(self) -> None:
        self._store.put(self._name, self._path.read_bytes())

    def discard(self) -> None:
        self.file.close()
        with suppress(FileNotFoundError):
            self._path.unlink()

    def error(self, error: OSError) -> OutputError:
        return OutputError(f"{self._store.where(self._name)}: {error}")
