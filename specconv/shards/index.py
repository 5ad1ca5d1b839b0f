"""What stands beside the shards of a folder: ``index.json`` and ``errors.jsonl``.

The index is written last: a folder that has one is a finished conversion. It repeats what its shards say of
themselves, so that a folder can be described and a dataset planned without opening one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from specconv.errors import ShardError
from specconv.shards.durable import output_error, sync_folder, write_durably
from specconv.shards.layout import TYPE_NAMES, FailedClip, SpecgramSpec, is_shard_name
from specconv.shards.regular import regular_file
from specconv.storage import local_path
from specconv.version import __version__

INDEX_NAME = "index.json"
LEDGER_NAME = "errors.jsonl"
FORMAT = "specconv-index"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class ShardEntry:
    """One shard in the index. clips: rows. failed: clips without one. size: bytes. sha256: in hex."""

    name: str
    clips: int
    failed: int
    size: int
    sha256: str


@dataclass(frozen=True)
class IndexedSpecgram:
    """One transform in the index. n_frames: None where lengths differ."""

    n_bins: int
    n_frames: int | None
    dtype: str
    axes: tuple[str, str]
    units: str
    sample_rate: float
    hop_length: int

    @classmethod
    def of(cls, spec: SpecgramSpec) -> IndexedSpecgram:
        return cls(
            n_bins=spec.n_bins,
            n_frames=spec.n_frames,
            dtype=spec.dtype,
            axes=spec.axes,
            units=spec.units,
            sample_rate=float(spec.sample_rate),
            hop_length=int(spec.hop_length),
        )


@dataclass(frozen=True)
class Index:
    """``index.json``. created: UTC, ISO 8601. audio: the folder. labels: types. config: resolved YAML."""

    format: str
    format_version: int
    created: str
    versions: dict[str, str]
    dataset: str
    audio: str
    clips: int
    failed: int
    specgrams: dict[str, IndexedSpecgram]
    labels: dict[str, str]
    notes: bool
    shards: list[ShardEntry]
    config: str


_INDEX = TypeAdapter(Index)


def write_index(
    folder: Path,
    *,
    dataset: str,
    audio: Path,
    config_yaml: str,
    specs: Sequence[SpecgramSpec],
    label_fields: Mapping[str, type],
    has_notes: bool,
    shards: Iterable[ShardEntry],
) -> Index:
    """Finish a folder: write its index, durably. Raises OutputError."""
    entries = sorted(shards, key=lambda entry: entry.name)
    index = Index(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        versions={"specconv": __version__, **{name: _version(name) for name in ("torch", "numpy", "h5py")}},
        dataset=dataset,
        audio=str(audio),
        clips=sum(entry.clips for entry in entries),
        failed=sum(entry.failed for entry in entries),
        specgrams={spec.name: IndexedSpecgram.of(spec) for spec in specs},
        labels={name: TYPE_NAMES[kind] for name, kind in label_fields.items()},
        notes=has_notes,
        shards=entries,
        config=config_yaml,
    )
    write_durably(folder / INDEX_NAME, (json.dumps(asdict(index), indent=1) + "\n").encode())
    return index


def read_index(folder: Path) -> Index | None:
    """The index of a folder, None if it has none: its conversion did not finish. Raises ShardError."""
    path = local_path(folder) / INDEX_NAME
    if not folder.is_dir():
        raise ShardError(f"{folder} is not a folder; give the --out folder of a conversion")
    if not path.exists():
        return None
    regular_file(path)
    try:
        found = json.loads(path.read_bytes())
        number = found.get("format_version") if isinstance(found, dict) else None
        if isinstance(number, int) and number > FORMAT_VERSION:
            raise ShardError(f"{path} was made by a newer specconv (format {number}, known {FORMAT_VERSION}); upgrade")
        index = _INDEX.validate_python(found)
    except OSError as error:
        raise ShardError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise ShardError(f"{path} is damaged: {where or 'its content'}: {fault['msg']}; convert again") from error
    except (ValueError, RecursionError) as error:
        raise ShardError(f"{path} is damaged: not JSON ({error}); convert again") from error
    if index.format != FORMAT:
        raise ShardError(f"{path}: format is {index.format!r}, not {FORMAT!r}; it is no index of specconv")
    for entry in index.shards:
        if not is_shard_name(entry.name):
            raise ShardError(f"{path} names {entry.name!r}, which is no shard of this folder")
    return index


def remove_index(folder: Path) -> None:
    """Make a folder unfinished, before its shards change. Raises OutputError."""
    path = folder / INDEX_NAME
    try:
        if path.exists():
            path.unlink()
            sync_folder(folder)
    except OSError as error:
        raise output_error(path, error) from error


def write_ledger(folder: Path, failures: Mapping[str, Sequence[FailedClip]]) -> None:
    """Write ``errors.jsonl`` anew from the failures of every shard by its name; none: no file.

    Each shard keeps its own failures, so this file can always be made again, and no line of it appears twice.
    Raises OutputError.
    """
    path = folder / LEDGER_NAME
    lines = [
        json.dumps({**asdict(failed), "shard": shard}) + "\n"
        for shard in sorted(failures)
        for failed in failures[shard]
    ]
    if lines:
        write_durably(path, "".join(lines).encode())
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(path, error) from error


class Readable(Protocol):
    """A binary file."""

    def readinto(self, buffer: memoryview, /) -> int | None: ...


def digest(file: Readable) -> str:
    """SHA-256, in hex, of what is left to read of a file."""
    sha256, buffer = hashlib.sha256(), bytearray(2**20)
    view = memoryview(buffer)
    while n := file.readinto(view):
        sha256.update(view[:n])
    return sha256.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
