"""``unfinished.json``: what a folder without an index shall hold, so that what is missing can be named.

A conversion writes it before its first shard and removes it once the index is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from specconv.errors import OutputError, ShardError
from specconv.shards.durable import output_error, write_durably
from specconv.shards.layout import shard_path, shard_paths
from specconv.shards.lock import writers
from specconv.shards.process import Process
from specconv.shards.regular import regular_file

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
    writers: Mapping[str, Process]


_UNFINISHED = TypeAdapter(Unfinished)


def write_unfinished(folder: Path, plan: Unfinished) -> None:
    """Raises OutputError."""
    write_durably(folder / UNFINISHED_NAME, (json.dumps(asdict(plan), indent=1) + "\n").encode())


def remove_unfinished(folder: Path) -> None:
    """Raises OutputError."""
    path = folder / UNFINISHED_NAME
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(path, error) from error


def remaining(folder: Path) -> Remaining:
    """What is missing in a folder that has no index. Raises ShardError for a folder that cannot be read."""
    plan = _read(folder / UNFINISHED_NAME)
    there = {path.name for path in shard_paths(folder)}
    missing = [n for n in range(plan.shards if plan else 0) if shard_path(folder, n).name not in there]
    try:
        return Remaining(plan, tuple(missing), writers(folder))
    except (OSError, OutputError) as error:
        raise ShardError(str(error)) from error


def _read(path: Path) -> Unfinished | None:
    """None also for a damaged file: the next run writes it anew."""
    if not path.exists():
        return None
    try:
        regular_file(path)
        return _UNFINISHED.validate_json(path.read_bytes())
    except (OSError, ShardError, ValidationError):
        return None
