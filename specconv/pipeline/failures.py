"""Which errors are one clip's own: they go into the ledger, and the run goes on."""

from __future__ import annotations

from specconv.engines.memory import is_out_of_memory
from specconv.errors import AudioError, DatasetError
from specconv.shards import FailedClip

NO_MEMORY = "it does not fit into memory with its spectrograms"


def failure_of(path: str, error: Exception) -> FailedClip | None:
    """What the ledger says of a clip that raised ``error``; None where the clip is not to blame."""
    if isinstance(error, AudioError):
        return FailedClip(path, error.stage, error.reason)
    if isinstance(error, DatasetError):
        return FailedClip(path, "labels", str(error))
    if is_out_of_memory(error):
        return FailedClip(path, "transform", NO_MEMORY)
    if isinstance(error, OSError):
        return FailedClip(path, "open", f"the system does not read it: {error.strerror or error}")
    return None
