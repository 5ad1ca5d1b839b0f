"""The checksum of an object."""

from __future__ import annotations

import hashlib
from typing import Protocol


class Readable(Protocol):
    """A binary file."""

    def readinto(self, buffer: memoryview, /) -> int | None: ...


def sha256(file: Readable) -> str:
    """Return the SHA-256, in hex, of the rest of a file."""
    digest, buffer = hashlib.sha256(), bytearray(2**20)
    view = memoryview(buffer)
    while n := file.readinto(view):
        digest.update(view[:n])
    return digest.hexdigest()
