"""System calls that fail for this process from now on, as on a file system that lacks them (Linux, seccomp)."""

from __future__ import annotations

import ctypes
import platform
import struct
from collections.abc import Mapping

NUMBERS: Mapping[str, Mapping[str, int]] = {
    "x86_64": {"flock": 73, "link": 86, "linkat": 265},
    "aarch64": {"flock": 32, "linkat": 37},
}
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def refuse(calls: Mapping[str, int]) -> None:
    """Let each named system call fail with its errno, in this thread and those that it starts; never again undone.

    Raises OSError where the machine does not allow that.
    """
    numbers = NUMBERS.get(platform.machine(), {})
    instructions = [(_LOAD, 0, 0, 0)]
    for name, number in calls.items():
        if name in numbers:
            instructions += [(_JUMP_IF_EQUAL, 0, 1, numbers[name]), (_RETURN, 0, 0, _ERROR | number)]
    instructions.append((_RETURN, 0, 0, _ALLOW))
    program = _Program(len(instructions), b"".join(struct.pack("HBBI", *one) for one in instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(_SECCOMP, _FILTER, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "no system call can be refused here")
