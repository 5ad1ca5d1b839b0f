"""Only ordinary files of the folder itself are read: no pipe, no device, nothing linked from elsewhere."""

from __future__ import annotations

import stat
from pathlib import Path

from specconv.errors import ShardError


def regular_file(path: Path) -> int:
    """The size of a file in bytes. Raises ShardError if there is none that may be read."""
    try:
        status = path.stat()
        inside = path.resolve().parent.is_relative_to(path.parent.resolve())
    except (OSError, RuntimeError) as error:  # RuntimeError: Python 3.12 and older on a loop of links
        reason = getattr(error, "strerror", None) or "a loop of links"
        raise ShardError(f"{path} cannot be read: {reason}") from error
    if not stat.S_ISREG(status.st_mode):
        raise ShardError(f"{path} is not a regular file")
    if not inside:
        raise ShardError(f"{path} is a link to {path.resolve()}, outside its folder; put the file itself there")
    return status.st_size
