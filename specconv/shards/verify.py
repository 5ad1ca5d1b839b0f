"""Checking a folder of shards against its index.

A single flipped byte is found by the SHA-256 of the index, before libhdf5 sees the file: libhdf5 may crash on
damaged bytes. So a shard whose SHA-256 differs is reported and not opened. Without an index there is nothing
to compare with, and shards are opened as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from specconv.errors import Fault, ShardError
from specconv.shards.formats import Shard, open_shard, shard_names
from specconv.shards.index import INDEX_NAME, Index, IndexedSpecgram, check_folder, read_index, shard_sha256
from specconv.shards.layout import CLIP_COLUMNS, ShardEntry
from specconv.shards.unfinished import Remaining, remaining
from specconv.storage import Store, StoreLike, open_store


@dataclass(frozen=True)
class VerifyReport:
    """What was found in a folder. clips, size (bytes): of shards that opened. faults: keyed by file.

    remaining: what the folder lacks, None if it has an index. That another process is writing it is no fault.
    """

    folder: str
    shards: int
    clips: int
    size: int
    faults: tuple[Fault, ...]
    remaining: Remaining | None


def verify(place: StoreLike, *, progress: Callable[[str], None] | None = None) -> VerifyReport:
    """Check every byte and every structure of a folder; call ``progress`` with the name of each shard before it.

    Raises ShardError only if there is no folder.
    """
    faults: list[Fault] = []
    index: Index | None = None
    lacking: Remaining | None = None
    store = open_store(place)
    check_folder(store)
    try:
        index = read_index(store)
        if index is None:
            lacking = remaining(store)
            if not lacking.writers:
                faults.append(Fault(INDEX_NAME, "missing: the conversion did not finish; run the same command again"))
    except ShardError as error:
        faults.append(_fault(store, INDEX_NAME, error))
    entries = {entry.name: entry for entry in index.shards} if index else {}
    found = set(shard_names(store))
    clips = size = 0
    for name in sorted(found | set(entries)):
        if progress is not None:
            progress(name)
        entry = entries.get(name)
        try:
            _check_file(store, name, entry, indexed=index is not None)
            with open_shard(store, name) as shard:
                clips, size = clips + shard.n_clips, size + shard.size
                faults += [_fault(store, name, error) for error in _check_inside(shard)]
                if index and entry:
                    faults += [Fault(name, sentence) for sentence in _compare(shard, entry, index)]
        except ShardError as error:
            faults.append(_fault(store, name, error))
    return VerifyReport(store.where(), len(found), clips, size, tuple(faults), lacking)


def _check_file(store: Store, name: str, entry: ShardEntry | None, *, indexed: bool) -> None:
    path = store.where(name)
    try:
        size = store.size(name)
    except FileNotFoundError:
        raise ShardError(f"{path}: missing; restore it, or convert again") from None
    except OSError as error:
        raise ShardError(f"{path}: cannot be read: {error.strerror}") from error
    if entry is None:
        if indexed:
            raise ShardError(f"{path}: not in the index; remove it, or convert again")
        return
    if size != entry.size:
        raise ShardError(f"{path}: {size} bytes, not the {entry.size} of the index; restore it, or convert again")
    found = shard_sha256(store, name)
    if found != entry.sha256:
        raise ShardError(
            f"{path}: its bytes have changed: its SHA-256 is {found}, the index says {entry.sha256}; "
            "restore it, or convert again"
        )


def _check_inside(shard: Shard) -> Iterator[ShardError]:
    """Yield what is wrong in a shard, the first fault of each object."""
    checks: list[Callable[[], object]] = [partial(shard.clips, column) for column in CLIP_COLUMNS]
    checks += [partial(shard.labels, name) for name in shard.label_types]
    checks += [shard.notes] if shard.has_notes else []
    checks += [partial(_check_specgrams, shard, name) for name in shard.names]
    for check in checks:
        if (error := _fails(check)) is not None:
            yield error


def _fails(check: Callable[[], object]) -> ShardError | None:
    try:
        check()
    except ShardError as error:
        return error
    return None


def _check_specgrams(shard: Shard, name: str) -> None:
    for block in shard.specgrams(name).blocks():
        if not np.isfinite(block).all():
            raise ShardError(f"{shard.where}: /specgrams/{name}/values: not finite (NaN or infinity); convert again")


def _compare(shard: Shard, entry: ShardEntry, index: Index) -> Iterator[str]:
    """Yield where a shard and its index disagree."""
    if (shard.n_clips, len(shard.failures)) != (entry.clips, entry.failed):
        found = f"{shard.n_clips} clips, {len(shard.failures)} failed"
        yield f"{found}; the index says {entry.clips} clips, {entry.failed} failed; convert again"
    if shard.config != index.config:
        yield "made by another config than the index says; convert again"
    if (set(shard.names), set(shard.label_types), shard.has_notes) != (
        set(index.specgrams),
        set(index.labels),
        index.notes,
    ):
        yield "its transforms or labels are not those of the index; convert again"
        return
    for name in shard.names:
        try:
            same = IndexedSpecgram.of(shard.specgrams(name).spec) == index.specgrams[name]
        except ShardError:
            continue  # said already
        if not same:
            yield f"/specgrams/{name} is not as the index describes it; convert again"


def _fault(store: Store, name: str, error: ShardError) -> Fault:
    return Fault(name, str(error).removeprefix(store.where(name)).lstrip(": "))
