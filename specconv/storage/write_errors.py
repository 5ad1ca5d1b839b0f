"""What the user reads when a file could not be written."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

from specconv.errors import OutputError
from specconv.messages import byte_size

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


def output_error(path: Path, error: OSError) -> OutputError:
    """Return the error for the user: ``path``, the system's reason, the free space if that is it, and the cure."""
    found = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        with contextlib.suppress(OSError):
            found += f" ({byte_size(shutil.disk_usage(path.parent).free)} free)"
    cure = _CURES.get(error.errno or 0, f"see to it, {_RUN_AGAIN}")
    return OutputError(f"{path}: cannot be written: {found}; {cure}")
