"""Finished shards as a dataset of PyTorch."""

from __future__ import annotations

import bisect
import operator
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from specconv.errors import ShardError
from specconv.notes import NOTE_DTYPE
from specconv.shards import layout
from specconv.shards.formats import Shard, open_shard
from specconv.shards.index import read_index
from specconv.shards.layout import ShardEntry
from specconv.storage import Store, StoreLike, local_path, open_store

Labels = dict[str, Any]
Sample = tuple[Tensor, Labels]

_OPEN_FILES = 128  # each takes some 0.7 MiB, and some ms to open


class ShardDataset(Dataset[Sample]):
    """The specgrams of one transform in a folder of shards, with their labels.

    ``data[i]`` is ``(specgram, labels)``: a float32 (or complex64) tensor (n_bins, n_frames), and a dict of
    ``id`` and the dataset's labels (str, int, float). Where the dataset has notes, ``labels["notes"]`` is a
    structured array (n_notes,) of onset_s, offset_s, pitch, velocity and instrument; give a DataLoader
    ``collate_fn=collate`` then, and where lengths differ.

    folder: the output of a conversion that finished. name: of the transform.
    Files are opened on first use, in each process for itself, and at most 128 at a time: safe under a
    DataLoader with workers, forked or spawned. Only names, shapes and sizes are checked; ``specconv verify``
    checks every byte. Raises ShardError.
    """

    def __init__(self, folder: StoreLike, name: str) -> None:
        # A worker may have another working directory.
        self.folder = local_path(folder).absolute() if isinstance(folder, (str, Path)) else folder
        self.name, self._store = name, open_store(self.folder)
        index = read_index(self._store)
        if index is None:
            raise ShardError(
                f"{self._store.where()} has no index.json: its conversion did not finish; run the same command again"
            )
        if name not in index.specgrams:
            raise ShardError(
                f"{self._store.where()}: no transform named {name!r}; there are {', '.join(index.specgrams)}"
            )
        specgram = index.specgrams[name]
        self.sample_rate = specgram.sample_rate
        self.hop_length = specgram.hop_length
        self.units = specgram.units
        self.axes = specgram.axes
        self.label_names = tuple(index.labels)
        self._entries = [entry for entry in index.shards if entry.clips]
        self._ends = list(accumulate(entry.clips for entry in self._entries))
        self._forget_files()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> Sample:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Sample]:
        """Return some samples, read shard by shard. A DataLoader asks for its batches this way."""
        places = [self._place(index) for index in indices]
        samples: dict[int, Sample] = {}
        for i in sorted(range(len(places)), key=places.__getitem__):
            number, row = places[i]
            samples[i] = self._read(number, row)
        return [samples[i] for i in range(len(places))]

    def labels(self, field: str) -> NDArray[Any]:
        """Return one label of every clip, (n_clips,) of str, int64 or float64, as for splits.

        field: a label, or id, path, source_sample_rate or n_samples of the audio file.
        """
        if field not in (*self.label_names, *layout.CLIP_COLUMNS):
            known = ", ".join((*self.label_names, *layout.CLIP_COLUMNS))
            raise ShardError(f"{self._store.where()}: no label named {field!r}; there are {known}")
        columns: list[Any] = []
        for entry in self._entries:
            with open_shard(self._store, entry.name) as shard:
                columns += shard.labels(field) if field in self.label_names else shard.clips(field)
        return np.array(columns)

    @property
    def center_frequencies(self) -> NDArray[np.float64]:
        """The centre frequencies of the bins, (n_bins,), in Hz."""
        if not self._entries:
            return np.zeros(0)
        with open_shard(self._store, self._entries[0].name) as shard:
            return shard.specgrams(self.name).spec.center_frequencies

    def __getstate__(self) -> dict[str, Any]:
        # A spawned worker opens files of its own.
        return {name: value for name, value in vars(self).items() if name not in ("_files", "_lock", "_process")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget_files()

    def _forget_files(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._files: OrderedDict[int, _OpenShard] = OrderedDict()

    def _place(self, index: int) -> tuple[int, int]:
        """Return the number of the shard that holds sample ``index``, and its row there."""
        i = operator.index(index)
        if not -len(self) <= i < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        i %= len(self)
        number = bisect.bisect_right(self._ends, i)
        return number, i - self._ends[number] + self._entries[number].clips

    def _read(self, number: int, row: int) -> Sample:
        if self._process != os.getpid():
            # A forked worker: the files belong to the parent, and so may the lock.
            self._forget_files()
        with self._lock:
            shard = self._files.get(number)
            if shard is None:
                while len(self._files) >= _OPEN_FILES:
                    self._files.popitem(last=False)[1].close()
                shard = self._files[number] = _OpenShard(self._store, self._entries[number], self.name)
            self._files.move_to_end(number)
            return shard.read(row)


class _OpenShard:
    """An open shard, with labels and notes of its clips in memory."""

    def __init__(self, store: Store, entry: ShardEntry, name: str) -> None:
        self._shard = open_shard(store, entry.name)
        try:
            _check_entry(self._shard, entry)
            self._specgrams = self._shard.specgrams(name)
            self._columns = {"id": self._shard.clips("id")}
            self._columns |= {field: self._shard.labels(field) for field in self._shard.label_types}
            self._notes = _notes_by_clip(self._shard) if self._shard.has_notes else None
        except BaseException:
            self._shard.close()
            raise

    def read(self, row: int) -> Sample:
        values = torch.from_numpy(self._specgrams.read(row))
        labels = {field: column[row] for field, column in self._columns.items()}
        if self._notes is not None:
            labels["notes"] = self._notes[row].copy()
        return (values if values.is_complex() else values.float()), labels

    def close(self) -> None:
        self._shard.close()


def collate(samples: Sequence[Sample]) -> tuple[Tensor | list[Tensor], Labels]:
    """Return a batch of samples, for a DataLoader: specgrams of one shape stacked, of several as a list.

    Labels become tensors (int, float) or lists (str, notes).
    """
    specgrams = [specgram for specgram, _ in samples]
    stacked = torch.stack(specgrams) if len({specgram.shape for specgram in specgrams}) == 1 else specgrams
    columns = {field: [labels[field] for _, labels in samples] for field in samples[0][1]}
    return stacked, {
        field: torch.as_tensor(np.array(column)) if isinstance(column[0], (int, float)) else column
        for field, column in columns.items()
    }


def _check_entry(shard: Shard, entry: ShardEntry) -> None:
    if (shard.size, shard.n_clips) != (entry.size, entry.clips):
        raise ShardError(
            f"{shard.where} has {shard.n_clips} clips in {shard.size} bytes, its index says {entry.clips} in "
            f"{entry.size}; run specconv verify, then convert again"
        )


def _notes_by_clip(shard: Shard) -> list[NDArray[Any]]:
    stored = shard.notes()
    notes = np.empty(len(stored), NOTE_DTYPE)
    for field in NOTE_DTYPE.names or ():
        notes[field] = stored[field]
    return np.split(notes, np.searchsorted(stored["clip"], np.arange(1, shard.n_clips)))
