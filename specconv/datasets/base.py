"""What every dataset is: clips with labels, found in a folder; their notes, read when asked for.

A corpus says how its clips are found and named; ``Listing.of`` orders them and makes their ids unique, in one
place for all.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from specconv.errors import DatasetError
from specconv.notes import NOTE_DTYPE

LabelValue = str | int | float

Note = tuple[float, float, int, int, int]  # in the order of NOTE_DTYPE


@dataclass(frozen=True, slots=True)
class ClipRef:
    """One audio file of a dataset.

    id: the corpus' own name of the clip, or its path from the root where that name is not unique.
    path: under the root as it was given.
    labels: every clip of a dataset has the same fields with the same types.
    notes_path: the file that ``Dataset.read_notes`` reads.
    """

    id: str
    path: Path
    labels: Mapping[str, LabelValue] = field(hash=False)
    notes_path: Path | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that looks like a clip and is none, with the reason in words."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a corpus, in words, and how many audio files of the folder are clips of it."""

    words: str
    files: int


class Dataset(ABC):
    """A corpus' layout: how to know it, to find its clips and to read their labels. Has no state."""

    name: ClassVar[str]
    title: ClassVar[str]
    citation: ClassVar[str]
    licence: ClassVar[str]
    homepage: ClassVar[str]
    label_fields: ClassVar[Mapping[str, type]]
    has_notes: ClassVar[bool] = False
    has_table: ClassVar[bool] = False  # a file of the corpus names every clip: better evidence than file names
    one_clip_a_name: ClassVar[bool] = True  # files of one name in one folder are one recording in several formats

    @abstractmethod
    def recognise(self, root: Path) -> Evidence | None:
        """Return what speaks for this corpus in ``root``, None for nothing. Looks at ``first_folders`` only."""

    @abstractmethod
    def find(self, root: Path) -> tuple[list[ClipRef], list[Skipped]]:
        """The clips under ``root``, each with the corpus' own name as id, and what was passed over."""

    def read_notes(self, clip: ClipRef) -> NDArray[np.void]:  # noqa: ARG002
        """The notes of ``clip``, NOTE_DTYPE, by onset, then pitch; empty if the corpus has none.

        Raises DatasetError if they cannot be read, with file and line.
        """
        return np.empty(0, NOTE_DTYPE)


@dataclass(frozen=True)
class Listing:
    """The clips of a folder, by id: the same list whatever order the file system names them in."""

    dataset: Dataset
    root: Path
    reason: str
    clips: tuple[ClipRef, ...]
    skipped: tuple[Skipped, ...]

    @classmethod
    def of(cls, dataset: Dataset, root: Path, reason: str) -> Listing:
        """Find what ``dataset`` has under ``root``. Raises DatasetError if that is nothing."""
        clips, skipped = dataset.find(root)
        if dataset.one_clip_a_name:
            clips, copies = _without_copies(clips)
            skipped += copies
        skipped.sort(key=lambda skip: (os.fspath(skip.path), skip.reason))
        if not clips:
            why = f"; {len(skipped)} skipped, the first: {_told(skipped[0])}" if skipped else ""
            raise DatasetError(f"{readable(root)}: no clips found ({dataset.name}){why}")
        clips = sorted(_with_unique_ids(clips, root), key=lambda clip: clip.id)
        return cls(dataset, root, reason, tuple(clips), tuple(skipped))


def readable(path: PurePath | str) -> str:
    """The path as text that any file or terminal takes, one text for one path.

    A file name is bytes, and not always text: bytes that are no UTF-8 become ``\\xNN``, and a backslash
    that is part of a name is doubled, so that two names never become one.
    """
    text = path.as_posix() if isinstance(path, PurePath) else path
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text).decode("utf-8", "backslashreplace")
    return text


def notes_array(notes: Sequence[Note], source: Path) -> NDArray[np.void]:
    """``notes`` as NOTE_DTYPE, by onset, then pitch.

    Raises DatasetError if an onset is negative, an offset before its onset, or a number not MIDI's.
    """
    for number, (onset, offset, pitch, velocity, instrument) in enumerate(notes, start=1):
        # written so that NaN fails it too
        times_hold = 0 <= onset <= offset < float("inf")
        if not (times_hold and 0 <= pitch <= 127 and -1 <= velocity <= 127 and -1 <= instrument <= 128):
            raise DatasetError(
                f"{readable(source)}: note {number} is {onset} to {offset} s, pitch {pitch}, "
                f"velocity {velocity}, instrument {instrument}; need 0 <= onset <= offset and MIDI's numbers"
            )
    array = np.array(list(notes), NOTE_DTYPE)
    return array[np.lexsort((array["pitch"], array["onset_s"]))]


def _without_copies(clips: Sequence[ClipRef]) -> tuple[list[ClipRef], list[Skipped]]:
    """Keep one file of each recording: WAV first, then FLAC, then the first extension by the alphabet."""
    best: dict[tuple[Path, str], ClipRef] = {}
    for clip in sorted(clips, key=_preference):
        best.setdefault((clip.path.parent, clip.path.stem), clip)
    kept = {clip.path for clip in best.values()}
    copies = [clip for clip in clips if clip.path not in kept]
    reason = "the same recording in another format is taken"
    return [clip for clip in clips if clip.path in kept], [Skipped(clip.path, reason) for clip in copies]


def _preference(clip: ClipRef) -> tuple[int, str]:
    suffix = clip.path.suffix.lower()
    return {".wav": 0, ".flac": 1}.get(suffix, 2), os.fspath(clip.path)


def _with_unique_ids(clips: Iterable[ClipRef], root: Path) -> list[ClipRef]:
    """A name that two clips bear names neither: both take their path from the root."""
    clips = list(clips)
    counts = Counter(clip.id for clip in clips)
    ids = [clip.id if counts[clip.id] == 1 else _id_by_path(clip, root) for clip in clips]
    if len(set(ids)) < len(ids):  # one clip's name is another's path
        ids = [_id_by_path(clip, root) for clip in clips]
    return [clip if clip.id == id_ else replace(clip, id=id_) for clip, id_ in zip(clips, ids, strict=True)]


def _id_by_path(clip: ClipRef, root: Path) -> str:
    return readable(clip.path.relative_to(root))


def _told(skip: Skipped) -> str:
    return f"{readable(skip.path)}: {skip.reason}"
