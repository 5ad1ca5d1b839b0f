"""Paths and addresses: only files of this machine can be read and written."""

from __future__ import annotations

import os
import re
from pathlib import Path

from specconv.errors import ParameterError

# A scheme has two characters or more: "C:/" is a drive. A Path has already made "s3:/" of "s3://".
_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.:-]+):[/\\]")


def local_path(path: str | os.PathLike[str]) -> Path:
    """Return ``path`` as a Path. Raise ParameterError for an address (``s3://…``, ``gs://…``, ``file://…``, ``http://…``)."""
    text = os.fsdecode(path)
    if address := _ADDRESS.match(text):
        scheme = address["scheme"]
        written = scheme + "://" + text[address.end() :].lstrip("/\\")
        cure = "give its path without file://" if scheme.lower() == "file" else "copy or mount it and give that path"
        raise ParameterError(
            f"{written} is an address, and only files of this machine can be read and written: {cure} "
            "(a folder whose name ends in ':' needs its full path)"
        )
    return Path(path)
