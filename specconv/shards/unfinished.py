"""``unfinished.json``: what a folder without an index shall hold, so that what is missing can be named.

A conversion writes it before its first shard and removes it once the index is there.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from specconv.errors import ShardError
from specconv.shards.formats import shard_name, shard_names
from specconv.storage import LockOwner, Store, StoreLike, open_store

UNFINISHED_NAME = "unfinished.json"
MOST_SHARDS = 10_000_000


@dataclass(frozen=True)
class Unfinished:
    """What is being made. shards: how many in all. parts: equal shares of them, each made by a run of its own.

    audio: the folder. dataset: its name. config: as ``--config`` takes it from any folder, None if it was no file.
    """

    shards: Annotated[int, Field(ge=0, le=MOST_SHARDS)]
    parts: Annotated[int, Field(ge=1, le=MOST_SHARDS)]
    audio: str
    dataset: str
    config: str | None


@dataclass(frozen=True)
class Remaining:
    """What a folder without an index lacks.

    plan: None if it is not known, as of a conversion by specconv 0.1. missing: numbers of shards, as the plan has them.
    writers: processes that write here now, by the share that each makes ("convert", "convert-2-of-4").
    """

    plan: Unfinished | None
    missing: tuple[int, ...]
    writers: Mapping[str, LockOwner]


_UNFINISHED = TypeAdapter(Unfinished)


def write_unfinished(place: StoreLike, plan: Unfinished) -> None:
    """Write what a folder shall hold. Raises OutputError."""
    open_store(place).put(UNFINISHED_NAME, (json.dumps(asdict(plan), indent=1) + "\n").encode())


def remove_unfinished(place: StoreLike) -> None:
    """Remove that file again. Raises OutputError."""
    open_store(place).delete(UNFINISHED_NAME)


def remaining(place: StoreLike) -> Remaining:
    """Return what is missing in a folder that has no index. Raises ShardError for a folder that cannot be read."""
    store = open_store(place)
    plan = _read(store)
    try:
        there = set(shard_names(store))
        missing = [n for n in range(plan.shards if plan else 0) if shard_name(n) not in there]
        return Remaining(plan, tuple(missing), store.writers())
    except OSError as error:
        raise ShardError(f"{store.where()} cannot be read: {error.strerror}") from error


def _read(store: Store) -> Unfinished | None:
    """Return the plan; None also for a damaged file, which the next run writes anew."""
    try:
        with contextlib.closing(store.open(UNFINISHED_NAME)) as file:
            return _UNFINISHED.validate_json(file.read() or b"")
    except (OSError, ValidationError):
        return None
