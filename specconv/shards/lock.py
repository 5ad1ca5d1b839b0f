"""One run in a folder at a time.

The lock is a file that names its owner. No lock of the file system is used, so it works where those do not.
A file whose process is gone from this host is stale, and taken over; of another host nobody can know, so the
message says what to remove.

Creating the file is atomic (a hard link to a whole file, or O_EXCL where links are refused). Taking over is
done under a second such file, so that of several processes one removes the stale lock and none a live one.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from specconv.errors import OutputError
from specconv.shards.durable import output_error, temporary_path
from specconv.shards.process import Process

_TAKEOVER = ".takeover"
_PATIENCE = 5.0  # seconds for another process to finish taking over, or to fill a file it has created


class FolderLock:
    """The right to write into a folder, or into a share of it, as a context manager.

    name: of the share. Nobody else holds the same name meanwhile, nor one that it begins with or that begins
    with it: "convert" excludes "convert-1-of-4", which does not exclude "convert-2-of-4".
    Raises OutputError if another process has it.
    """

    def __init__(self, folder: Path, name: str = "convert") -> None:
        self._folder, self._name = folder, name
        self._path = folder / f".specconv-{name}.lock"
        self._owner = Process.current()

    def __enter__(self) -> FolderLock:
        try:
            while not _create(self._path, self._owner):
                self._remove_if_stale(self._path)
            try:
                for path in self._others():
                    self._remove_if_stale(path)
                self._tidy()
            except BaseException:
                self._path.unlink()
                raise
        except OSError as error:
            raise output_error(self._path, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A forked child leaves the block too; the lock is its parent's.
        if os.getpid() == self._owner.pid:
            with contextlib.suppress(OSError):
                if _read(self._path) == self._owner:
                    self._path.unlink()

    def file_system_has_locks(self) -> bool:
        """Whether the folder's file system has locks of its own, which HDF5 takes unless it is told not to."""
        try:
            from fcntl import LOCK_NB, LOCK_SH, flock
        except ImportError:  # Windows
            return True
        try:
            with self._path.open("rb") as file:
                flock(file, LOCK_SH | LOCK_NB)
        except OSError as error:
            return error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
        return True

    def _others(self) -> list[Path]:
        """Locks of names that begin with ours, or that ours begins with."""
        others = []
        for path in self._folder.glob(".specconv-*.lock"):
            name = path.name.removeprefix(".specconv-").removesuffix(".lock")
            if name.startswith(f"{self._name}-") or self._name.startswith(f"{name}-"):
                others.append(path)
        return others

    def _remove_if_stale(self, path: Path) -> None:
        """Returns once the lock is gone. Raises OutputError if its owner may live."""
        other = _read(path)
        if other is None:
            return
        if not other.is_gone():
            raise OutputError(
                f"{self._folder}: process {other.pid} on {other.host} is writing here; wait, or choose "
                f"another --out. If that process is surely gone, remove {path}"
            )
        self._remove(path, other)

    def _remove(self, path: Path, stale: Process) -> None:
        """Remove the lock of a process that is gone, unless another has been quicker.

        Who is about to do so may be killed too. So the second file is a lock like the first, under a third.
        """
        guard = path.with_name(f"{path.name}{_TAKEOVER}")
        end = time.monotonic() + _PATIENCE
        while not _create(guard, self._owner):
            rival = _read(guard)
            if rival is not None and rival.is_gone():
                self._remove(guard, rival)
            elif time.monotonic() > end:
                raise OutputError(f"{self._folder}: a stale lock could not be taken over; remove {guard}")
            else:
                time.sleep(0.01)
        try:
            if _read(path) == stale:
                path.unlink()
        finally:
            guard.unlink()

    def _tidy(self) -> None:
        """Remove what processes left that were killed while they took over, and had done so."""
        for guard in list(self._folder.glob(f".specconv-*{_TAKEOVER}")):
            rival = _read(guard)
            if rival is not None and rival.is_gone():
                self._remove(guard, rival)


def writers(folder: Path) -> dict[str, Process]:
    """Return who holds a lock of ``folder``, by the lock's name; whoever is surely gone holds none.

    Raises OSError, OutputError.
    """
    found = {}
    for path in sorted(folder.glob(".specconv-*.lock")):
        owner = _read(path)
        if owner is not None and not owner.is_gone():
            found[path.name.removeprefix(".specconv-").removesuffix(".lock")] = owner
    return found


def _create(path: Path, owner: Process) -> bool:
    """Create a file naming its owner; false if there is one. Where links work it is never seen half."""
    content = json.dumps(asdict(owner)).encode()
    whole = temporary_path(path)
    whole.unlink(missing_ok=True)
    try:
        with whole.open("xb") as file:
            file.write(content)
        try:
            os.link(whole, path)
        except FileExistsError:
            return False
        except OSError:  # FAT, some network file systems
            try:
                with path.open("xb") as file:
                    file.write(content)
            except FileExistsError:
                return False
        return True
    finally:
        with contextlib.suppress(OSError):
            whole.unlink()


def _read(path: Path) -> Process | None:
    """Who holds a lock, None if nobody. Raises OutputError for a file that names nobody."""
    end = time.monotonic() + _PATIENCE
    while (content := _content(path)) is not None:
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            return Process(**json.loads(content))
        if time.monotonic() > end:
            raise OutputError(
                f"{path} locks the folder, but does not say for whom; if nobody else writes here, remove it"
            )
        time.sleep(0.05)
    return None


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
