"""What has its final name is whole and on disk: the one way files appear in an output folder.

A file is written under a temporary name beside its final one, flushed to the disk, renamed, and the rename is
flushed too. After a kill or a loss of power there is the old file, the new one, or none; never half of one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from hashlib import blake2s
from pathlib import Path

from specconv.errors import OutputError
from specconv.shards.process import is_running, numbering

_LEFTOVER = re.compile(
    r"\.(\.specconv-.*\.lock(\.takeover)*|shard-\d+\.h5|index\.json|unfinished\.json|errors\.jsonl)\.(?P<host>[0-9a-f]{8})-(?P<pid>\d+)\.part",
    re.ASCII,
)
_RUN_AGAIN = "then run the same command again: finished shards are kept"
_CURES = {
    errno.ENOSPC: f"free some space, {_RUN_AGAIN}",
    errno.EDQUOT: f"your quota is used up; free some space, {_RUN_AGAIN}",
    errno.EFBIG: "the file system or a limit (ulimit -f) allows no file of this size; lower shards.clips",
    errno.EROFS: "the file system is mounted read-only; choose another --out",
    errno.EACCES: "you may not write there; choose another --out or change its permissions",
    errno.EPERM: "you may not write there; choose another --out or change its permissions",
    errno.ENOENT: "the folder is gone; make it again, or choose another --out",
    errno.ENOTDIR: "a file stands where a folder should be; choose another --out",
    errno.EEXIST: "something that is no folder stands there, a broken link perhaps; choose another --out",
    errno.EIO: f"the disk fails; check it, or choose another --out, {_RUN_AGAIN}",
}


def temporary_path(path: Path) -> Path:
    """The name that ``path`` has until it is whole: hidden, in the same folder, of this process alone."""
    return path.with_name(f".{path.name}.{_host()}-{os.getpid()}.part")


def replace(temporary: Path, path: Path) -> None:
    """Give a flushed file its final name, durably. Raises OSError."""
    temporary.replace(path)
    sync_folder(path.parent)


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


def write_durably(path: Path, content: bytes) -> None:
    """Put ``content`` under the name ``path``, all or nothing. Raises OutputError."""
    temporary = temporary_path(path)
    try:
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        replace(temporary, path)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> list[str]:
    """Remove the temporary files that processes of this host left when they died; returns their names."""
    names = []
    for path in sorted(folder.glob(".*.part")):
        match = _LEFTOVER.fullmatch(path.name)
        if match and match["host"] == _host() and not is_running(int(match["pid"])):
            path.unlink(missing_ok=True)
            names.append(path.name)
    return names


def output_error(path: Path, error: OSError) -> OutputError:
    """What the user reads when ``path`` could not be written."""
    found = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        with contextlib.suppress(OSError):
            found += f" ({shutil.disk_usage(path.parent).free / 2**20:.1f} MiB free)"
    cure = _CURES.get(error.errno or 0, f"see to it, {_RUN_AGAIN}")
    return OutputError(f"{path}: cannot be written: {found}; {cure}")


def _host() -> str:
    """Short for this host and its numbering of processes: a folder may be written by several."""
    return blake2s(numbering().encode(), digest_size=4).hexdigest()
