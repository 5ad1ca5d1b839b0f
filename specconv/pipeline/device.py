"""Which device computes."""

from __future__ import annotations

import re

import torch

from specconv.errors import Fault, ParameterError


def choose_device(name: str) -> torch.device:
    """The device of a name: auto (a GPU if there is one), cpu, cuda, cuda:N or mps.

    Raises ParameterError if this machine or this build of torch has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise ParameterError([Fault("device", f"{name!r} is none of auto, cpu, cuda, cuda:N, mps")])
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ParameterError(
            [
                Fault(
                    "device",
                    f"{name}: this machine has {torch.cuda.device_count()} CUDA devices; use cpu or auto",
                )
            ]
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ParameterError([Fault("device", "mps: not available on this machine; use cpu or auto")])
    return device
