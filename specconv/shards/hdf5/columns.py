"""What a shard holds beside specgrams: its clips, their labels and notes, and the clips that failed.

Kept until the shard is closed, then written at once: a column of some hundred rows is one small write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from specconv.notes import NOTE_DTYPE
from specconv.shards import layout
from specconv.shards.hdf5.files import create_group
from specconv.shards.layout import ClipRow, FailedClip

_STORED = {str: h5py.string_dtype(), int: np.dtype(np.int64), float: np.dtype(np.float64)}


class Columns:
    """The rows of one shard, in the order of its specgrams."""

    def __init__(self, label_fields: Mapping[str, type], has_notes: bool) -> None:
        if reserved := {"id", "notes"} & set(label_fields):
            raise ValueError(f"a label named {reserved.pop()!r}, which means something else in every shard")
        self._label_fields, self._has_notes = dict(label_fields), has_notes
        self._rows: list[ClipRow] = []
        self.failures: list[FailedClip] = []

    def __len__(self) -> int:
        return len(self._rows)

    def check(self, row: ClipRow) -> None:
        """Raise ValueError for a row that this shard cannot hold."""
        if set(row.labels) != set(self._label_fields):
            raise ValueError(f"{row.id}: labels {sorted(row.labels)}, not {sorted(self._label_fields)}")
        for name, kind in self._label_fields.items():
            if not _fits(row.labels[name], kind):
                raise ValueError(f"{row.id}: label {name} is {row.labels[name]!r}, not a value of {kind.__name__}")
        if row.notes is not None and not self._has_notes:
            raise ValueError(f"{row.id}: notes, in a shard without")

    def append(self, rows: Sequence[ClipRow]) -> None:
        self._rows += rows

    def write(self, file: h5py.File) -> None:
        clips, labels = create_group(file, "clips"), create_group(file, "labels")
        for name, kind in layout.CLIP_COLUMNS.items():
            _write_column(clips, name, kind, [getattr(row, name) for row in self._rows])
        for name, kind in self._label_fields.items():
            _write_column(labels, name, kind, [row.labels[name] for row in self._rows])
        if self._has_notes:
            labels.create_dataset("notes", data=_notes(self._rows), track_times=False)
        file.attrs["failures"] = json.dumps([asdict(failed) for failed in self.failures])


def _fits(value: object, kind: type) -> bool:
    if kind is str:
        return isinstance(value, str)
    if isinstance(value, (int, np.integer)):
        return -(2**63) <= int(value) < 2**63
    return kind is float and isinstance(value, (float, np.floating))


def _write_column(group: h5py.Group, name: str, kind: type, column: list[Any]) -> None:
    if kind is str:
        column = [text.encode("utf-8", "surrogateescape").replace(b"\0", "\ufffd".encode()) for text in column]
    data = np.array(column, dtype=object if kind is str else _STORED[kind])
    group.create_dataset(name, data=data, dtype=_STORED[kind], track_times=False)


def _notes(rows: Sequence[ClipRow]) -> NDArray[Any]:
    counts = [0 if row.notes is None else len(row.notes) for row in rows]
    notes = np.zeros(sum(counts), layout.STORED_NOTE)
    notes["clip"] = np.repeat(np.arange(len(rows)), counts)
    given = [row.notes for row in rows if row.notes is not None]
    for name in NOTE_DTYPE.names or ():
        if given:
            notes[name] = np.concatenate([clip[name] for clip in given])
    return notes
