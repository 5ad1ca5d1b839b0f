"""Reading a shard that is an HDF5 file.

What ``objects`` takes out of the file is checked against ``layout`` before anybody sees it. Damage by chance ends
in a ShardError. Metadata forged to attack libhdf5 itself, with every checksum made right, need not: it may crash, or
ask for 4 GiB for a string. So verify a folder from strangers (SHA-256 are compared before a file is opened), and
get its index from somebody you trust.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from specconv.errors import ShardError
from specconv.shards import layout
from specconv.shards.hdf5.objects import column_type, open_file, reading
from specconv.shards.layout import FailedClip, SpecgramSpec
from specconv.storage import Store

_BLOCK_BYTES = 2**24


@dataclass(frozen=True)
class Hdf5Specgrams:
    """The specgrams of one transform in an open shard.

    values: as stored. offsets: (n_clips + 1,), None where lengths agree. size: bytes stored. where: for
    messages. n_underflow: values that float16 does not keep; None where nobody counted them.
    """

    spec: SpecgramSpec
    values: h5py.Dataset
    offsets: NDArray[np.int64] | None
    size: int
    where: str
    n_underflow: int | None = None

    @property
    def n_frames(self) -> int:
        """The number of frames of all clips together."""
        clips = 1 if self.offsets is not None else int(self.values.shape[0])
        return clips * int(self.values.shape[-1])

    @property
    def underflow(self) -> float | None:
        """The share of values that are too small for float16; None where nobody counted them."""
        n_values = self.n_frames * self.spec.n_bins
        return None if self.n_underflow is None else self.n_underflow / max(n_values, 1)

    def frames_of(self, row: int) -> int:
        """Return the number of frames of one clip."""
        if self.offsets is None:
            return int(self.values.shape[-1])
        return int(self.offsets[row + 1] - self.offsets[row])

    def read(self, row: int, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Return frames ``start`` to ``stop`` of one clip, (n_bins, n_frames), as stored."""
        n_frames = self.frames_of(row)
        stop = n_frames if stop is None else min(stop, n_frames)
        with reading(self.where):
            specgram: NDArray[Any]
            if self.offsets is None:
                specgram = self.values[row, :, start:stop]
            else:
                first = int(self.offsets[row])
                specgram = self.values[:, first + start : first + stop]
            return specgram

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield all values, in blocks of whole chunks of some MiB."""
        chunk, shape = self.spec.chunk, self.values.shape
        many = max(1, _BLOCK_BYTES // (math.prod(chunk) * self.values.dtype.itemsize))
        if self.offsets is not None:
            steps: tuple[int, ...] = (chunk[0], chunk[1] * many)
        elif chunk[2] == shape[2]:
            steps = (many, *chunk[1:])
        else:
            steps = (1, chunk[1], chunk[2] * many)
        starts = (range(0, size, step) for size, step in zip(shape, steps, strict=True))
        for start in itertools.product(*starts):
            with reading(self.where):
                yield self.values[tuple(slice(first, first + step) for first, step in zip(start, steps, strict=True))]


class Hdf5Shard:
    """An open shard whose head has been checked; the rest is checked as it is asked for.

    The contract is `specconv.shards.formats.Shard`. Raises ShardError.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._file = open_file(store, name)
        try:
            self._read_head()
        except BaseException:
            self.close()
            raise

    def _read_head(self) -> None:
        file = self._file
        self.where, self.size = file.where, file.size
        root = file.file
        self._check_head(root)
        self.config = file.attribute(root, "/", "config", str)
        self.fingerprint = file.attribute(root, "/", "fingerprint", str)
        self.failures = self._failures(file.attribute(root, "/", "failures", str))
        self._clips = file.group(root, "clips", "/clips")
        self._labels = file.group(root, "labels", "/labels")
        self._specgrams = file.group(root, "specgrams", "/specgrams")
        self.n_clips = int(file.dataset(self._clips, "id", "/clips/id", ndim=1).shape[0])
        self.names = file.names(self._specgrams, "/specgrams")
        labels = file.names(self._labels, "/labels")
        self.has_notes = "notes" in labels
        self.label_types = {name: self._label_type(name) for name in labels if name != "notes"}

    def clips(self, column: str) -> list[Any]:
        """Return a column of ``/clips``: id, path, source_sample_rate or n_samples of every clip."""
        return self._column(self._clips, column, f"/clips/{column}", layout.CLIP_COLUMNS[column])

    def labels(self, field: str) -> list[Any]:
        """Return one label (str, int or float) of every clip."""
        if field not in self.label_types:
            known = ", ".join(self.label_types) or "none"
            raise ShardError(f"{self.where}: no label named {field!r}; there are {known}")
        return self._column(self._labels, field, f"/labels/{field}", self.label_types[field])

    def notes(self) -> NDArray[Any]:
        """Return all notes, structured as ``layout.STORED_NOTE``; those of a clip stand together."""
        key = "/labels/notes"
        dataset = self._file.dataset(self._labels, "notes", key, ndim=1)
        with self._file.reading(key):
            if dataset.dtype != layout.STORED_NOTE:
                raise self._file.error(key, f"fields {dataset.dtype}, not {layout.STORED_NOTE}")
            notes: NDArray[Any] = dataset[()]
        clips = notes["clip"]
        if len(clips) and not (clips[0] >= 0 and clips[-1] < self.n_clips and (np.diff(clips) >= 0).all()):
            raise self._file.error(key, f"clip is not one of {self.n_clips} rows, in order")
        return notes

    def specgrams(self, name: str) -> Hdf5Specgrams:
        """Return the specgrams of one transform, after a check of their shapes and storage."""
        if name not in self.names:
            raise ShardError(f"{self.where}: no transform named {name!r}; there are {', '.join(self.names) or 'none'}")
        key = f"/specgrams/{name}"
        group = self._file.group(self._specgrams, name, key)
        values = self._file.dataset(group, "values", f"{key}/values", compressed=True)
        with self._file.reading(f"{key}/values"):
            dtype, shape, chunks, size = (
                values.dtype,
                values.shape,
                values.chunks,
                values.id.get_storage_size(),
            )
        offsets = self._offsets(group, key) if "offsets" in self._file.names(group, key) else None
        key = f"{key}/values"
        if dtype not in layout.DTYPES:
            raise self._file.error(key, f"type {dtype}, not one of {', '.join(layout.DTYPES)}")
        rows = len(offsets) - 1 if offsets is not None else shape[0] if shape else None
        if len(shape) != (3 if offsets is None else 2) or rows != self.n_clips:
            raise self._file.error(key, f"shape {shape}, not that of {self.n_clips} clips")
        if offsets is not None and offsets[-1] != shape[1]:
            raise self._file.error(key, f"{shape[1]} frames, but offsets end at {offsets[-1]}")
        spec = self._spec(group, name, dtype, shape)
        if chunks != spec.chunk:
            raise self._file.error(key, f"chunks of {chunks}, not {spec.chunk}")
        return Hdf5Specgrams(spec, values, offsets, size, f"{self.where}: {key}", self._underflow(group, name))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Hdf5Shard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_head(self, root: h5py.File) -> None:
        found = self._file.attribute(root, "/", "format", str)
        if found != layout.FORMAT:
            raise self._file.error("/@format", f"{found!r}, not {layout.FORMAT!r}; it is no shard of specconv")
        version = self._file.attribute(root, "/", "format_version", int)
        if version > layout.FORMAT_VERSION:
            message = f"{version}, but {layout.FORMAT_VERSION} is known; it was made by a newer specconv: upgrade"
            raise self._file.error("/@format_version", message)
        if version < 1:
            raise self._file.error("/@format_version", f"{version}, which never was")
        if not self._file.attribute(root, "/", "complete", bool):
            raise self._file.error("/@complete", "false: its writing was not finished; convert again")

    def _failures(self, text: str) -> tuple[FailedClip, ...]:
        try:
            return tuple(FailedClip(str(f["path"]), str(f["stage"]), str(f["reason"])) for f in json.loads(text))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise self._file.error("/@failures", "not a JSON list of path, stage and reason") from error

    def _label_type(self, name: str) -> type[Any]:
        key = f"/labels/{name}"
        dataset = self._file.dataset(self._labels, name, key, ndim=1)
        with self._file.reading(key):
            found = column_type(dataset)
        if found is None:
            raise self._file.error(key, f"type {dataset.dtype}, not string, int64 or float64")
        return found

    def _spec(self, group: h5py.Group, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> SpecgramSpec:
        key, n_bins, attribute = f"/specgrams/{name}", shape[-2], self._file.attribute
        axes = attribute(group, key, "axes", np.ndarray)
        frequencies = attribute(group, key, "center_frequencies", np.ndarray)
        if axes.shape != (2,) or not all(isinstance(axis, str) for axis in axes):
            raise self._file.error(f"{key}/@axes", "not two names")
        if frequencies.shape != (n_bins,) or frequencies.dtype != np.float64:
            raise self._file.error(f"{key}/@center_frequencies", f"not {n_bins} values of float64")
        return SpecgramSpec(
            name=name,
            n_bins=n_bins,
            dtype=dtype.name,
            axes=(axes[0], axes[1]),
            sample_rate=attribute(group, key, "sample_rate", float),
            hop_length=attribute(group, key, "hop_length", int),
            units=attribute(group, key, "units", str),
            parameters=attribute(group, key, "parameters", str),
            center_frequencies=frequencies,
            n_frames=shape[2] if len(shape) == 3 else None,
        )

    def _underflow(self, group: h5py.Group, name: str) -> int | None:
        key = f"/specgrams/{name}"
        with self._file.reading(key):
            if layout.UNDERFLOW not in group.attrs:
                return None
        return self._file.attribute(group, key, layout.UNDERFLOW, int)

    def _offsets(self, group: h5py.Group, key: str) -> NDArray[np.int64]:
        key = f"{key}/offsets"
        dataset = self._file.dataset(group, "offsets", key, ndim=1)
        with self._file.reading(key):
            if dataset.dtype != np.int64:
                raise self._file.error(key, f"type {dataset.dtype}, not int64")
            offsets: NDArray[np.int64] = dataset[()]
        if len(offsets) < 1 or offsets[0] != 0 or (np.diff(offsets) < 0).any():
            raise self._file.error(key, "not the first frames of clips: from 0, never falling")
        return offsets

    def _column(self, group: h5py.Group, name: str, key: str, kind: type[Any]) -> list[Any]:
        dataset = self._file.dataset(group, name, key, ndim=1)
        with self._file.reading(key):
            if dataset.shape != (self.n_clips,):
                raise self._file.error(key, f"{dataset.shape[0]} rows, not {self.n_clips}")
            if column_type(dataset) is not kind:
                raise self._file.error(key, f"type {dataset.dtype}, not {kind.__name__}")
            return self._file.strings(dataset, key) if kind is str else list(dataset[()].tolist())
