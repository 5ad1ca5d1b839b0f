"""Where files are: stores of named objects, written whole or not at all. Read ``store`` first: it is the contract."""

from __future__ import annotations

import os
from pathlib import Path

from specconv.storage.address import local_path
from specconv.storage.checksum import sha256
from specconv.storage.folder import FolderStore, sync_folder
from specconv.storage.lock import has_file_locks
from specconv.storage.store import LockOwner, NewObject, ReadableObject, Store
from specconv.storage.write_errors import output_error

__all__ = [
    "FolderStore",
    "LockOwner",
    "NewObject",
    "ReadableObject",
    "Store",
    "StoreLike",
    "has_file_locks",
    "local_path",
    "open_store",
    "output_error",
    "sha256",
    "sync_folder",
]

StoreLike = Store | str | Path


def open_store(place: StoreLike) -> Store:
    """Return the store at ``place``: the path of a folder, or a store as it is. Another kind is one line here."""
    return FolderStore(local_path(place)) if isinstance(place, (str, os.PathLike)) else place
