"""Telling processes apart, across hosts, restarts and reused process numbers."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One process, told apart from all others.

    started: when, in the system's own words: a number is used again, with another start.
    boot: this start of the machine. space: of process numbers: containers have their own under one host name.
    Each is empty where the system does not tell.
    """

    host: str
    pid: int
    started: str
    boot: str
    space: str

    @classmethod
    def current(cls) -> Process:
        pid = os.getpid()
        return cls(socket.gethostname(), pid, _started(pid) or "", _boot(), _space())

    def is_gone(self) -> bool:
        """Whether it surely runs no more. Of another host or container nobody can know."""
        if self.host != socket.gethostname():
            return False
        if self.boot != _boot():
            return bool(self.boot and _boot())
        return self.space == _space() and _started(self.pid) != self.started


def is_running(pid: int) -> bool:
    """Whether this host has a process of this number; it need not be the one that had it before."""
    return _started(pid) is not None


def numbering() -> str:
    """What process numbers are unique in, while the machine runs."""
    return f"{socket.gethostname()} {_space()}"


def _started(pid: int) -> str | None:
    """When a process of this host was started, None if there is none, or only its remains (a zombie)."""
    try:
        # The name in brackets may hold anything; after it the state and, 19 fields on, the start in ticks.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return None
    except (OSError, IndexError):
        return "unknown"
    if sys.platform == "win32":
        return "unknown"
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None


def _boot() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def _space() -> str:
    with contextlib.suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return ""
