"""One writer in a folder at a time.

The lock is filelock's: the system's own (``flock``), which ends with its process however that ends. Where the file
system has none, it is filelock's soft lock: a file that names its process. Beside it stands a note that names who holds
the lock, for the message of whoever comes second; filelock before 4 empties its own file at each attempt. A note of
another host is believed without a lock too, for some network file systems keep the locks of each host apart.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import tempfile
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from specconv.errors import OutputError
from specconv.storage.store import LockOwner
from specconv.storage.write_errors import output_error

_PATIENCE = 0.2  # seconds: another process may hold a lock for a moment, only to look whether it is free


class FolderLock:
    """The right to write into a folder, or into a share of it, as a context manager.

    name: of the share. Nobody else holds the same name meanwhile, nor one that it begins with or that begins with it:
    "convert" excludes "convert-1-of-4", which does not exclude "convert-2-of-4".
    Raises OutputError if another process has it.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._lock: BaseFileLock | None = None
        self._process = os.getpid()

    def __enter__(self) -> FolderLock:
        self._process = os.getpid()
        try:
            self._lock = self._acquire(self._name)
            try:
                owner = LockOwner(socket.gethostname(), self._process)
                self._note(self._name).write_text(json.dumps(asdict(owner)))
                for name in self._overlapping():
                    self._release(name, self._acquire(name))
            except BaseException:
                self._release(self._name, self._lock)
                raise
        except OSError as error:
            raise output_error(self._note(self._name), error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A forked child leaves the block too; the lock is its parent's.
        if self._lock is not None and self._process == os.getpid():
            with contextlib.suppress(OSError):
                self._release(self._name, self._lock)

    def _note(self, name: str) -> Path:
        return self._folder / f".specconv-{name}.lock"

    def _overlapping(self) -> set[str]:
        """Return the names, locked or noted, that exclude ours."""
        found = (path.name.removeprefix(".specconv-").rpartition(".") for path in self._folder.glob(".specconv-*"))
        names = {name for name, _, suffix in found if suffix in ("lock", "flock")}
        return {name for name in names if name.startswith(f"{self._name}-") or self._name.startswith(f"{name}-")}

    def _acquire(self, name: str) -> BaseFileLock:
        """Take the lock of one name. Raises OutputError if another process has it."""
        kind = FileLock if has_file_locks(self._folder) else SoftFileLock
        lock: BaseFileLock = kind(self._folder / f".specconv-{name}.flock")
        try:
            lock.acquire(timeout=_PATIENCE, poll_interval=0.01)
        except Timeout:
            raise self._in_use(name, _read(self._note(name))) from None
        owner = _read(self._note(name))
        if owner is not None and owner.host != socket.gethostname():
            _free(lock)
            raise self._in_use(name, owner)
        return lock

    def _release(self, name: str, lock: BaseFileLock) -> None:
        self._note(name).unlink(missing_ok=True)
        _free(lock)

    def _in_use(self, name: str, owner: LockOwner | None) -> OutputError:
        process = f"process {owner.pid} on {owner.host}" if owner else "another process"
        elsewhere = owner is not None and owner.host != socket.gethostname()
        files = " and ".join(str(self._note(name).with_suffix(end)) for end in (".lock", ".flock")[: 2 - elsewhere])
        return OutputError(
            f"{self._folder}: {process} is writing here; wait, or choose another --out. "
            f"If that process is surely gone, remove {files}"
        )


def lock_owners(folder: Path) -> dict[str, LockOwner]:
    """Return who holds a lock of ``folder`` now, by the lock's name. Raises OSError."""
    found = {}
    for note in sorted(folder.glob(".specconv-*.lock")):
        owner = _read(note)
        if owner is not None and _may_hold(owner, note.with_suffix(".flock")):
            found[note.name.removeprefix(".specconv-").removesuffix(".lock")] = owner
    return found


def _may_hold(owner: LockOwner, path: Path) -> bool:
    """Return whether the process of a note holds the lock at ``path``; it may be on another host."""
    if owner.host != socket.gethostname():
        return True
    try:
        from fcntl import LOCK_NB, LOCK_SH, flock

        with path.open("rb") as file:
            flock(file, LOCK_SH | LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except (ImportError, OSError):  # no locks of the file system
        return is_running(owner.pid)
    return False


def is_running(pid: int) -> bool:
    """Return whether this host has a process of this number; it need not be the one that had it before."""
    if os.name == "nt":
        return True  # there os.kill ends the process
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _free(lock: BaseFileLock) -> None:
    """Release a lock and remove its file."""
    if not isinstance(lock, SoftFileLock):  # which removes its file itself
        with contextlib.suppress(OSError):  # Windows removes no open file; an empty one stays
            Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


def has_file_locks(folder: Path) -> bool:
    """Return whether the folder's file system has locks, which HDF5 takes too unless it is told not to.

    Raises OSError if no file can be made there.
    """
    try:
        from fcntl import LOCK_NB, LOCK_SH, flock
    except ImportError:  # Windows
        return True
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            flock(file, LOCK_SH | LOCK_NB)
        except OSError as error:
            return error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
    return True


def _read(note: Path) -> LockOwner | None:
    """Return who holds a lock; None if the note is not there, or names nobody."""
    try:
        content = json.loads(note.read_bytes())
        return LockOwner(str(content["host"]), int(content["pid"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
