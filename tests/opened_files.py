"""Whether the files of a folder are opened, by whomever."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest


class Watch:
    """Counts how often the files of a folder are opened (inotify)."""

    IN_OPEN = 0x20

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK)
        if self._descriptor < 0 or libc.inotify_add_watch(self._descriptor, bytes(folder), self.IN_OPEN) < 0:
            pytest.skip("no inotify here")

    def opened(self) -> bool:
        try:
            return bool(os.read(self._descriptor, 4096))
        except BlockingIOError:
            return False

    def close(self) -> None:
        os.close(self._descriptor)
