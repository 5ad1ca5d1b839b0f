"""Reading objects of an HDF5 file that anybody may have made.

Every object is taken by a hard link, checked for its kind, storage and size, and only then read. So a crafted
file makes nothing outside itself be read (no external or soft link, virtual dataset, external storage), no
filter be loaded that a shard does not use, and no memory be asked for that its bytes could not fill. Every
fault is a ShardError that names the file and the key in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import h5py
import numpy as np

from specconv.errors import ShardError
from specconv.shards import layout
from specconv.shards.hdf5.files import InputFile
from specconv.storage import Store

T = TypeVar("T")

_SHUFFLE = 2
_STRING = h5py.h5t.py_create(h5py.string_dtype(), logical=True)
_NUMBERS = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM)
_PLACE = np.dtype([("length", "<u4"), ("collection", "<u8"), ("number", "<u4")])  # of a string, in the file
_CHUNK_CACHE = 2**19  # bytes a dataset: two chunks, for clips that share one; the default keeps 8 MiB of each shard
# How many times larger than its bytes a dataset can honestly be, by filter: the most that each format can
# express.
_LARGEST_RATIO: dict[int | None, int] = {None: 1, 1: 1100, 32000: 100, 32015: 50_000}
_WHAT_HDF5_RAISES = (
    OSError,
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    IndexError,
)


@dataclass(frozen=True)
class CheckedFile:
    """An open file. where: its address, for messages."""

    where: str
    file: h5py.File
    input: InputFile

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        return self.input.size

    def close(self) -> None:
        self.file.close()
        self.input.close()

    def names(self, group: h5py.Group, key: str) -> tuple[str, ...]:
        """Return the names of what a group holds."""
        with self.reading(key):
            return tuple(group)

    def group(self, parent: h5py.Group, name: str, key: str) -> h5py.Group:
        return self._child(parent, name, key, h5py.Group)

    def dataset(
        self, parent: h5py.Group, name: str, key: str, *, ndim: int | None = None, compressed: bool = False
    ) -> h5py.Dataset:
        """Return a dataset whose bytes are all in this file, and are enough for its shape."""
        dataset = self._child(parent, name, key, h5py.Dataset)
        with self.reading(key):
            creation = dataset.id.get_create_plist()
            # Before its shape is asked for: that alone would open the sources of a virtual dataset.
            if creation.get_layout() == h5py.h5d.VIRTUAL or creation.get_external_count():
                raise self.error(key, "its values are in other files; a shard holds its own")
            filters = [creation.get_filter(i)[0] for i in range(creation.get_nfilters())]
            ratio = _LARGEST_RATIO[self._compression(key, filters, compressed)]
            stored = min(dataset.id.get_storage_size(), self.size)
            if math.prod(dataset.shape) * dataset.id.get_type().get_size() > stored * ratio:
                raise self.error(key, f"shape {dataset.shape}, but only {stored} bytes of it are stored")
            if ndim not in (None, len(dataset.shape)):
                raise self.error(key, f"{len(dataset.shape)} dimensions, not {ndim}")
        return dataset

    def strings(self, dataset: h5py.Dataset, key: str) -> list[str]:
        """Return the values of a column of strings.

        Where they are and how long is the one thing beside values that carries no checksum, and libhdf5 asks for up
        to 4 GiB a string before it looks. So the lengths are added up first.
        """
        with self.reading(key):
            if dataset.shape[0] == 0:
                return []
            offset = dataset.id.get_offset()
            if offset is None:
                raise self.error(key, "not in one piece")
            places = np.frombuffer(self.input.read_at(offset, dataset.shape[0] * _PLACE.itemsize), _PLACE)
            if places["length"].sum(dtype=np.uint64) > self.size:
                raise self.error(key, "its strings are longer than the file; it is damaged")
            return [text.decode("utf-8", "surrogateescape") for text in dataset[()].tolist()]

    def attribute(self, owner: h5py.Group, key: str, name: str, kind: type[T]) -> T:
        where = f"{key.rstrip('/')}/@{name}"
        with self.reading(where):
            if name not in owner.attrs:
                raise self.error(where, "missing")
            stored = owner.attrs.get_id(name)
            if stored.get_storage_size() > self.size:
                raise self.error(where, "larger than the file")
            if not is_plain(stored.get_type()):
                raise self.error(where, f"{stored.dtype}, not {kind.__name__}")
            value = owner.attrs[name]
            if isinstance(value, np.generic):
                value = value.item()
            if not isinstance(value, kind):
                raise self.error(where, f"{type(value).__name__}, not {kind.__name__}")
            return value

    def error(self, key: str, message: str) -> ShardError:
        return ShardError(f"{self.where}: {key}: {message}")

    def reading(self, key: str) -> AbstractContextManager[None]:
        """Turn what HDF5 raises inside into a ShardError."""
        return reading(f"{self.where}: {key}")

    def _child(self, parent: h5py.Group, name: str, key: str, kind: type[T]) -> T:
        with self.reading(key):
            # The link itself, before anything follows it.
            if not parent.id.links.exists(name.encode()):
                raise self.error(key, "missing")
            if parent.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
                raise self.error(key, "a link to another place; a shard holds its own")
            child = parent[name]
            if not isinstance(child, kind):
                raise self.error(key, f"a {type(child).__name__}, not a {kind.__name__}")
            return child

    def _compression(self, key: str, filters: list[int], allowed: bool) -> int | None:
        """Return the one filter beside the shuffle; load the library of zstd."""
        compressions = [number for number in filters if number != _SHUFFLE]
        if len(compressions) > 1 or any(number not in _LARGEST_RATIO for number in compressions):
            raise self.error(key, f"filters {filters}, which a shard does not use")
        if filters and not allowed:
            raise self.error(key, "compressed, which only specgrams are")
        compression = compressions[0] if compressions else None
        if compression == layout.FILTERS["zstd"]:
            try:
                import hdf5plugin  # noqa: F401 (registers the filter)
            except ImportError as error:
                raise self.error(key, "compressed by zstd; pip install hdf5plugin to read it") from error
        return compression


def open_file(store: Store, name: str) -> CheckedFile:
    """Open an HDF5 file of a store. Raises ShardError."""
    where = store.where(name)
    try:
        source = InputFile(store, name)
    except OSError as error:
        found = f"cannot be read: {error.strerror}" if error.strerror else f"cannot be opened: {error}"
        raise ShardError(f"{where}: {found}; restore it, or convert again") from error
    try:
        return CheckedFile(where, h5py.File(source, "r", rdcc_nbytes=_CHUNK_CACHE), source)
    except BaseException as error:
        source.close()
        if not isinstance(error, _WHAT_HDF5_RAISES):
            raise
        raise ShardError(f"{where}: cannot be opened: {_first_line(error)}; restore it, or convert again") from error


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn what HDF5 raises inside into a ShardError that names ``where``."""
    try:
        yield
    except _WHAT_HDF5_RAISES as error:
        raise ShardError(f"{where}: cannot be read, the file is damaged ({_first_line(error)})") from error


def is_plain(stored: h5py.h5t.TypeID) -> bool:
    """Return whether it is a number, or a string as specconv writes it: libhdf5 2.0 crashes on some other strings."""
    return stored.get_class() in _NUMBERS or stored.equal(_STRING)


def column_type(dataset: h5py.Dataset) -> type[Any] | None:
    """Return which of str, int and float a column holds; None for anything else."""
    if dataset.id.get_type().equal(_STRING):
        return str
    return {np.dtype(np.int64): int, np.dtype(np.float64): float}.get(dataset.dtype)


def _first_line(error: BaseException) -> str:
    return str(error).strip("'\"").partition("\n")[0][:200]
