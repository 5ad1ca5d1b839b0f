"""The files beside the shards of a folder: ``index.json`` and ``errors.jsonl``.

The index is written last: a folder that has one is a finished conversion. It repeats what its shards say of
themselves, so that a folder can be described and a dataset planned without opening one.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from specconv.errors import ShardError
from specconv.shards.formats import is_shard_name, open_shard
from specconv.shards.layout import TYPE_NAMES, FailedClip, ShardEntry, SpecgramSpec
from specconv.storage import Store, StoreLike, open_store, sha256
from specconv.version import __version__

INDEX_NAME = "index.json"
LEDGER_NAME = "errors.jsonl"
FORMAT = "specconv-index"
FORMAT_VERSION = 1


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
    place: StoreLike,
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
    open_store(place).put(INDEX_NAME, (json.dumps(asdict(index), indent=1) + "\n").encode())
    return index


def read_index(place: StoreLike) -> Index | None:
    """Return the index of a folder, None if it has none: its conversion did not finish. Raises ShardError."""
    store = open_store(place)
    path = store.where(INDEX_NAME)
    try:
        with contextlib.closing(store.open(INDEX_NAME)) as file:
            content = file.read() or b""
    except FileNotFoundError:
        check_folder(store)
        return None
    except NotADirectoryError:
        check_folder(store)
        raise
    except OSError as error:
        raise ShardError(f"{path} cannot be read: {error.strerror}") from error
    try:
        found = json.loads(content)
        number = found.get("format_version") if isinstance(found, dict) else None
        if isinstance(number, int) and number > FORMAT_VERSION:
            raise ShardError(f"{path} was made by a newer specconv (format {number}, known {FORMAT_VERSION}); upgrade")
        index = _INDEX.validate_python(found)
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


def check_folder(store: Store) -> None:
    """Raise ShardError if there is no folder of shards at all."""
    try:
        store.names()
    except OSError as error:
        raise ShardError(f"{store.where()} is not a folder; give the --out folder of a conversion") from error


def remove_index(place: StoreLike) -> None:
    """Make a folder unfinished, before its shards change. Raises OutputError."""
    open_store(place).delete(INDEX_NAME)


def write_ledger(place: StoreLike, failures: Mapping[str, Sequence[FailedClip]]) -> None:
    """Write ``errors.jsonl`` anew from the failures of every shard by its name; none: no file.

    Each shard keeps its own failures, so this file can always be made again, and no line of it appears twice.
    Raises OutputError.
    """
    store = open_store(place)
    lines = [
        json.dumps({**asdict(failed), "shard": shard}) + "\n"
        for shard in sorted(failures)
        for failed in failures[shard]
    ]
    if lines:
        store.put(LEDGER_NAME, "".join(lines).encode())
    else:
        store.delete(LEDGER_NAME)


def read_entry(place: StoreLike, name: str) -> ShardEntry:
    """Return a shard's line of the index, its SHA-256 computed anew. Raises ShardError."""
    store = open_store(place)
    with open_shard(store, name) as shard:
        clips, failed, size = shard.n_clips, len(shard.failures), shard.size
    return ShardEntry(name, clips, failed, size, shard_sha256(store, name))


def shard_sha256(store: Store, name: str) -> str:
    """Return the SHA-256 of a shard. Raises ShardError if it cannot be read."""
    try:
        with contextlib.closing(store.open(name)) as file:
            return sha256(file)
    except OSError as error:
        raise ShardError(f"{store.where(name)}: cannot be read: {error.strerror}") from error


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
