"""A folder as a store: a file that has its final name is whole and on disk.

A file is written under a temporary name beside its final one, flushed to the disk, renamed, and the rename is flushed
too. After a kill or a loss of power there is the old file, the new one, or none; never half of one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2s
from io import FileIO
from pathlib import Path

from specconv.errors import OutputError
from specconv.storage.lock import FolderLock, is_running, lock_owners
from specconv.storage.store import LockOwner
from specconv.storage.write_errors import output_error

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<host>[0-9a-f]{8})-(?P<pid>\d{1,10})\.part", re.ASCII)


class FolderStore:
    """The files of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def where(self, name: str = "") -> str:
        return str(self.folder / name)

    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder))  # noqa: PTH208 (names, not paths)

    def size(self, name: str) -> int:
        return _check_file(self.folder / name)

    def open(self, name: str) -> FileIO:
        """Open a regular file of this folder: no pipe, no device, no link to another place."""
        path = self.folder / name
        _check_file(path)
        return path.open("rb", buffering=0)

    def put(self, name: str, content: bytes) -> None:
        new = TemporaryFile(self.folder / name)
        try:
            rest = memoryview(content)
            while len(rest):
                rest = rest[new.file.write(rest) or 0 :]
            new.commit()
        except OSError as error:
            raise new.error(error) from error
        finally:
            new.discard()

    def create(self, name: str) -> TemporaryFile:
        # Whoever begins this name holds the lock: other temporary files of it belong to nobody that lives.
        new = TemporaryFile(self.folder / name)
        for path in self.folder.glob(f".{name}.*.part"):
            match = _TEMPORARY.fullmatch(path.name)
            if match and match["name"] == name and path != new.temporary:
                with contextlib.suppress(OSError):
                    path.unlink()
        return new

    def delete(self, name: str) -> None:
        path = self.folder / name
        try:
            if path.exists():
                path.unlink()
                sync_folder(self.folder)
        except OSError as error:
            raise output_error(path, error) from error

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        with FolderLock(self.folder, name):
            try:
                remove_leftovers(self.folder)
            except OSError as error:
                raise output_error(self.folder, error) from error
            yield

    def writers(self) -> dict[str, LockOwner]:
        return lock_owners(self.folder)


class TemporaryFile:
    """A file on its way to its final name ``path``: hidden, in the same folder, of this process alone.

    Raises OutputError if it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.temporary = path, temporary_path(path)
        self._process = os.getpid()
        try:
            self.temporary.unlink(missing_ok=True)
            self.file: FileIO = self.temporary.open("xb+", buffering=0)
        except OSError as error:
            raise output_error(path, error) from error

    def commit(self) -> None:
        os.fsync(self.file.fileno())
        self.temporary.replace(self.path)
        sync_folder(self.path.parent)

    def discard(self) -> None:
        with contextlib.suppress(OSError):
            self.file.close()
            if self._process == os.getpid():  # a forked child has this object too
                self.temporary.unlink(missing_ok=True)

    def error(self, error: OSError) -> OutputError:
        return output_error(self.path, error)


def temporary_path(path: Path) -> Path:
    """Return the name that ``path`` has until it is whole."""
    return path.with_name(f".{path.name}.{_host()}-{os.getpid()}.part")


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot flush a folder; they write names through.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> list[str]:
    """Remove the temporary files that processes of this host left when they died; return their names."""
    names = []
    for path in sorted(folder.glob(".*.part")):
        match = _TEMPORARY.fullmatch(path.name)
        if match and match["host"] == _host() and not is_running(int(match["pid"])):
            path.unlink(missing_ok=True)
            names.append(path.name)
    return names


def _check_file(path: Path) -> int:
    """Return the size of a regular file of its folder in bytes. Raises OSError if there is none."""
    try:
        status = path.stat()
        inside = path.resolve().parent.is_relative_to(path.parent.resolve())
    except RuntimeError as error:  # Python 3.12 and older on a loop of links
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from error
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    if not inside:
        raise OSError(errno.EXDEV, f"it is a link to {path.resolve()}, outside its folder; put the file itself there")
    return status.st_size


def _host() -> str:
    """Return a short name for this host and its numbering of processes: containers have their own."""
    space = ""
    with contextlib.suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return blake2s(f"{socket.gethostname()} {space}".encode(), digest_size=4).hexdigest()
