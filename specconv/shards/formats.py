"""The formats of a shard, chosen here: what a reader and a writer must do, and the table of those that there are.

To add one (Zarr, Arrow): a module in this folder with a reader that fulfils `Shard` and a writer that fulfils
`ShardWriter`, and a line in `FORMATS`. The file name's extension tells which format a shard has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from specconv.errors import ShardError
from specconv.shards.hdf5.reader import Hdf5Shard
from specconv.shards.hdf5.writer import Hdf5Writer
from specconv.shards.layout import ClipRow, FailedClip, ShardEntry, SpecgramSpec
from specconv.storage import Store, StoreLike, open_store

Frames = NDArray[Any]

_SHARD_NAME = re.compile(r"shard-\d{5,9}\.(?P<extension>\w+)", re.ASCII)


class Specgrams(Protocol):
    """The specgrams of one transform in an open shard.

    spec: shape and meaning. n_frames: of all clips together. size: bytes stored. underflow: the share of values that
    are too small for float16; None where nobody counted them.
    """

    @property
    def spec(self) -> SpecgramSpec: ...

    @property
    def n_frames(self) -> int: ...

    @property
    def size(self) -> int: ...

    @property
    def n_underflow(self) -> int | None: ...

    @property
    def underflow(self) -> float | None: ...

    def frames_of(self, row: int) -> int:
        """Return the number of frames of one clip."""

    def read(self, row: int, start: int = 0, stop: int | None = None) -> Frames:
        """Return frames ``start`` to ``stop`` of one clip, (n_bins, n_frames), as stored."""

    def blocks(self) -> Iterator[Frames]:
        """Yield all values, in blocks of some MiB."""


class Shard(AbstractContextManager["Shard"], Protocol):
    """An open shard. Everything it returns has been checked; what is not as it should be raises ShardError.

    where: its address, for messages. size: bytes. n_clips: rows. config: YAML. fingerprint: what it was made from.
    failures: the clips that are not here. names: of its transforms. label_types: str, int or float by label.
    """

    where: str
    size: int
    n_clips: int
    config: str
    fingerprint: str
    failures: tuple[FailedClip, ...]
    names: tuple[str, ...]
    has_notes: bool
    label_types: dict[str, type[Any]]

    def clips(self, column: str) -> list[Any]:
        """Return id, path, source_sample_rate or n_samples of every clip."""

    def labels(self, field: str) -> list[Any]:
        """Return one label (str, int or float) of every clip."""

    def notes(self) -> Frames:
        """Return all notes, structured as ``layout.STORED_NOTE``; those of a clip stand together."""

    def specgrams(self, name: str) -> Specgrams:
        """Return the specgrams of one transform."""

    def close(self) -> None: ...


class ShardWriter(AbstractContextManager["ShardWriter"], Protocol):
    """A shard that is being written. Leaving the block without ``close``, or by an exception, leaves nothing behind."""

    def append(
        self, rows: Sequence[ClipRow], specgrams: Mapping[str, Frames | Sequence[Frames]]
    ) -> tuple[FailedClip, ...]:
        """Append a batch of clips as it was computed.

        specgrams: for each transform an array (n, n_bins, n_frames), or n arrays (n_bins, n_frames) where lengths
        differ; they may be views into a padded batch.
        A clip with a value that is not finite, or too large for float16 (beyond 65504), is left out and recorded as
        failed at stage "write"; return those.
        """

    def append_long(self, row: Callable[[], ClipRow], blocks: Iterable[Mapping[str, Frames]]) -> tuple[FailedClip, ...]:
        """Append one clip from blocks of its frames, for each transform (n_bins, any); they are not kept.

        row: called when the blocks are used up, for that is when the length of a stream is known.
        If ``blocks`` raises, the clip is left out and the exception goes on. Return as ``append``.
        """

    def fail(self, path: str, stage: str, reason: str) -> FailedClip:
        """Record a clip of this shard that could not be made."""

    def close(self) -> ShardEntry:
        """Finish the shard: it has its final name, durably. Return its line of the index."""


@dataclass(frozen=True)
class Format:
    """How shards of one format are opened and created."""

    open: Callable[[Store, str], Shard]
    create: Callable[..., ShardWriter]


FORMATS: Mapping[str, Format] = {"h5": Format(Hdf5Shard, Hdf5Writer)}
"""By the extension of a shard's name."""


def shard_name(number: int, extension: str = "h5") -> str:
    """Return the name of shard ``number``."""
    return f"shard-{number:05d}.{extension}"


def shard_path(folder: Path, number: int) -> Path:
    """Return the path of shard ``number`` in a folder."""
    return folder / shard_name(number)


def is_shard_name(name: str) -> bool:
    """Return whether a file of this name is a shard; False for anything that leads out of its folder."""
    match = _SHARD_NAME.fullmatch(name)
    return match is not None and match["extension"] in FORMATS


def shard_names(place: StoreLike) -> list[str]:
    """Return the names of the shards in a store, in order. Raises OSError where there is no such place."""
    return [name for name in open_store(place).names() if is_shard_name(name)]


def shard_paths(folder: Path) -> list[Path]:
    """Return the shards in a folder, in order."""
    return [folder / name for name in shard_names(folder)]


def open_shard(place: StoreLike, name: str) -> Shard:
    """Open a shard. Raises ShardError for anything that is not a whole shard of a known version."""
    store = open_store(place)
    return _format(store.where(name), name).open(store, name)


def create_shard(
    place: StoreLike,
    name: str,
    specs: Sequence[SpecgramSpec],
    *,
    label_fields: Mapping[str, type],
    has_notes: bool,
    config_yaml: str,
    fingerprint: str,
    compression: str = "none",
) -> ShardWriter:
    """Begin a shard.

    specs: what it holds of every clip. label_fields: types (str, int, float) of the labels of every clip.
    fingerprint: any string that stands for what the shard is made from; a later run compares it.
    compression: none, gzip, lzf or zstd.
    Raises OutputError where the file cannot be written, ValueError for rows or specgrams that do not fit the specs.
    """
    store = open_store(place)
    return _format(store.where(name), name).create(
        store,
        name,
        specs,
        label_fields=label_fields,
        has_notes=has_notes,
        config_yaml=config_yaml,
        fingerprint=fingerprint,
        compression=compression,
    )


def _format(where: str, name: str) -> Format:
    extension = name.rpartition(".")[2]
    if extension not in FORMATS:
        raise ShardError(f"{where}: ends in none of .{', .'.join(FORMATS)}; it is no shard of specconv")
    return FORMATS[extension]
