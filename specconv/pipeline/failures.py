"""Which errors are one clip's own: they go into the ledger, and the run goes on."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from specconv.errors import AudioError, DatasetError

NO_MEMORY = "it does not fit into memory with its spectrograms"


@dataclass(frozen=True)
class Failure:
    """A clip that could not be converted, as a line of the ledger has it."""

    path: str
    stage: str
    reason: str


def failure_of(path: str, error: Exception) -> Failure | None:
    """What the ledger says of a clip that raised ``error``; None where the clip is not to blame."""
    if isinstance(error, AudioError):
        return Failure(path, error.stage, error.reason)
    if isinstance(error, DatasetError):
        return Failure(path, "labels", str(error))
    if is_out_of_memory(error):
        return Failure(path, "transform", NO_MEMORY)
    if isinstance(error, OSError):
        return Failure(path, "open", f"the system does not read it: {error.strerror or error}")
    return None


def is_out_of_memory(error: Exception) -> bool:
    """Of the device or of the machine. On a CPU, and on mps, torch says it in words alone."""
    said = str(error) if isinstance(error, RuntimeError) else ""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        "DefaultCPUAllocator" in said or "out of memory" in said
    )
