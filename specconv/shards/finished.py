"""What a finished shard says of itself, for the next run of the same command.

A shard that has its final name is whole. So a run that was killed goes on by asking each shard for its
fingerprint, and makes again only those that are missing or were made from something else.
"""

from __future__ import annotations

from pathlib import Path

from specconv.errors import ShardError
from specconv.shards.index import ShardEntry, digest
from specconv.shards.layout import FailedClip
from specconv.shards.opening import open_shard


def read_fingerprint(path: Path) -> str | None:
    """What the shard was made from, None if there is no whole shard at ``path``."""
    try:
        with open_shard(path) as shard:
            return shard.fingerprint
    except ShardError:
        return None


def read_failures(path: Path) -> tuple[FailedClip, ...]:
    """The clips of this shard that failed. Raises ShardError."""
    with open_shard(path) as shard:
        return shard.failures


def read_entry(path: Path) -> ShardEntry:
    """The shard's line of the index, its SHA-256 computed anew. Raises ShardError."""
    with open_shard(path) as shard:
        clips, failed, size = shard.n_clips, len(shard.failures), shard.size
    try:
        with path.open("rb", buffering=0) as file:
            return ShardEntry(path.name, clips, failed, size, digest(file))
    except OSError as error:
        raise ShardError(f"{path} cannot be read: {error.strerror}") from error
