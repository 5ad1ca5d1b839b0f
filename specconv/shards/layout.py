"""The format of a shard: one HDF5 file that plain h5py reads, whole or absent.

::

    /                       format="specconv-shard" format_version=1 config=<resolved YAML> complete=true
                            fingerprint=<what the shard was made from> failures=<JSON list: path, stage,
                            reason>
    /clips/id                    (n_clips,) string, unique in the dataset
    /clips/path                  (n_clips,) string, below the audio folder
    /clips/source_sample_rate    (n_clips,) int64, Hz, of the audio file
    /clips/n_samples             (n_clips,) int64, of the waveform at the specgrams' rate, without padding
    /specgrams/<name>/values     fixed duration: (n_clips, n_bins, n_frames), else (n_bins, all frames)
    /specgrams/<name>/offsets    (n_clips + 1,) int64, first frame of each clip; only when lengths differ
    /specgrams/<name>            attributes: axes (2 strings), sample_rate (Hz), hop_length (samples), units,
                                 parameters (JSON), center_frequencies ((n_bins,) float64, Hz);
                                 underflow (float16 only: how many values were too small to be kept)
    /labels/<field>              (n_clips,) string, int64 or float64, one value a clip
    /labels/notes                (n_notes,) compound: clip, onset_s, offset_s, pitch, velocity, instrument

``values`` are float32, float16 or complex64 (in HDF5 a compound of ``r`` and ``i``, as h5py has it), finite,
and compressed by nothing, gzip, lzf or zstd, each after a byte shuffle. A chunk is one clip's specgram, so
that reading clips in any order reads each byte once; above 4 MiB it is some frames of one. Where lengths
differ, clip ``i`` is ``values[:, offsets[i]:offsets[i + 1]]`` and a chunk is about 256 KiB of frames.

Strings are UTF-8 of variable length. A file name that is not UTF-8 keeps its bytes (Python's
surrogateescape); HDF5 strings end at a NUL, so a NUL in a label is stored as U+FFFD. ``clip`` of a note is
the row of its clip in this shard, and rows do not decrease; velocity and instrument are -1 where unknown. A
shard whose every clip failed has no rows.

The same rows, specgrams and batches make the same bytes: no times are stored, and the file format is HDF5
1.10's, whose metadata carry checksums of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specconv.notes import NOTE_DTYPE

FORMAT = "specconv-shard"
FORMAT_VERSION = 1

CLIP_COLUMNS: Mapping[str, type] = {"id": str, "path": str, "source_sample_rate": int, "n_samples": int}
TYPE_NAMES: Mapping[type, str] = {str: "string", int: "int64", float: "float64"}
UNKNOWN_LABELS = ("", -1)  # values of a label that its dataset does not tell
STORED_NOTE = np.dtype([("clip", "<i8"), *((name, NOTE_DTYPE[name]) for name in NOTE_DTYPE.names or ())])

DTYPES = ("float32", "float16", "complex64")
FILTERS: Mapping[str, int | None] = {"none": None, "gzip": 1, "lzf": 32000, "zstd": 32015}
"""HDF5's number of each compression. Beside these a shard uses the byte shuffle only."""

UNDERFLOW = "underflow"
"""The attribute that counts values below 6.1e-5 that float16 does not keep exactly; version 0.1.0 did not write it."""

_EXAMPLE_BYTES = 4 * 2**20
_FRAMES_BYTES = 2**18


@dataclass(frozen=True)
class SpecgramSpec:
    """One transform's specgrams, as a shard describes them.

    axes: names of the axes of one specgram, (n_bins, n_frames). sample_rate: Hz. hop_length: samples.
    parameters: JSON. center_frequencies: (n_bins,) Hz. n_frames: of every clip, or None where lengths differ.
    """

    name: str
    n_bins: int
    dtype: str
    axes: tuple[str, str]
    sample_rate: float
    hop_length: int
    units: str
    parameters: str
    center_frequencies: NDArray[np.float64]
    n_frames: int | None

    @property
    def chunk(self) -> tuple[int, ...]:
        """The shape of a chunk of ``values``."""
        frame = self.n_bins * np.dtype(self.dtype).itemsize
        if self.n_frames is None:
            return self.n_bins, max(1, _FRAMES_BYTES // frame)
        if self.n_frames * frame <= _EXAMPLE_BYTES:
            return 1, self.n_bins, self.n_frames
        return 1, self.n_bins, max(1, _EXAMPLE_BYTES // frame)

    def size(self, n_clips: int, n_frames: int) -> int:
        """Return the bytes of uncompressed ``values`` for clips of ``n_frames`` in all: chunks are stored whole."""
        rows, frames = (1, n_frames) if self.n_frames is None else (n_clips, self.n_frames)
        chunks = rows * -(-frames // self.chunk[-1])
        return chunks * self.chunk[-1] * self.n_bins * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class ClipRow:
    """One clip beside its specgrams.

    id: unique in the dataset. path, source_sample_rate: of the audio file, Hz.
    n_samples: of its waveform as it was transformed, without padding.
    notes: structured, with the fields of NOTE_DTYPE, or None.
    """

    id: str
    path: str
    source_sample_rate: int
    n_samples: int
    labels: Mapping[str, str | int | float]
    notes: NDArray[Any] | None = None


@dataclass(frozen=True)
class FailedClip:
    """One clip that is not in the shard it belongs to: a line of ``errors.jsonl``."""

    path: str
    stage: str
    reason: str


@dataclass(frozen=True)
class ShardEntry:
    """One shard in the index. clips: rows. failed: clips without one. size: bytes. sha256: in hex."""

    name: str
    clips: int
    failed: int
    size: int
    sha256: str


def name_fault(name: str) -> str | None:
    """Return why ``name`` cannot name a specgram or a label in HDF5, or None."""
    if not name or name in (".", "..") or any(sign in name for sign in "/\0"):
        return f"{name!r} cannot be a name in HDF5; use letters, digits, '-', '_' and '.'"
    try:
        name.encode()
    except UnicodeEncodeError:
        return f"{name!r} is not UTF-8; use letters, digits, '-', '_' and '.'"
    return None
