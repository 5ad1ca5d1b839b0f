"""MAESTRO: virtuoso piano performances with the MIDI that the piano recorded."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from specconv.datasets.base import ClipRef, Dataset, Evidence, LabelValue, Skipped, readable
from specconv.datasets.midi import read_midi
from specconv.datasets.scan import audio_files, files_by_lower_name, first_audio, first_folders
from specconv.errors import DatasetError

CITATION = (
    "C. Hawthorne et al.: Enabling Factorized Piano Music Modeling and Generation with the MAESTRO Dataset. "
    "International Conference on Learning Representations (ICLR), 2019. https://arxiv.org/abs/1810.12247"
)
LICENCE = "Creative Commons Attribution Non-Commercial Share-Alike 4.0, as stated on its page"
HOMEPAGE = "https://magenta.tensorflow.org/datasets/maestro"

LABELS = {"composer": str, "title": str, "split": str, "year": int}


class Maestro(Dataset):
    """``maestro-v<version>.csv`` says which audio and which MIDI belong together. Rates differ: 44.1 and 48 kHz.

    Notes go from key down to key up; the pedal, which makes many of them sound longer, is not in them.
    """

    name = "maestro"
    title = "MAESTRO"
    citation, licence, homepage = CITATION, LICENCE, HOMEPAGE
    label_fields = LABELS
    has_notes = True
    has_table = True

    def recognise(self, root: Path) -> Evidence | None:
        audio = {_without_extension(path) for path in first_audio(root)}
        for table in _tables(root):
            listed = {_without_extension(table.parent / row["audio_filename"]) for row in _rows(table)}
            if n_clips := len(listed & audio):
                return Evidence(f"{len(listed)} performances in {readable(table.name)}", n_clips)
        return None

    def find(self, root: Path) -> tuple[list[ClipRef], list[Skipped]]:
        found, skipped = audio_files(root)
        listed = {
            _without_extension(table.parent / row["audio_filename"]): (table, row)
            for table in _tables(root)
            for row in _rows(table)
        }
        there = {_without_extension(file.path) for file in found}
        clips = []
        for file in found:
            if (name := _without_extension(file.path)) not in listed:
                skipped.append(Skipped(file.path, "not in the csv of the corpus"))
                continue
            table, row = listed[name]
            notes = _notes_file(table, row["midi_filename"])
            if notes is None:
                skipped.append(Skipped(file.path, "its MIDI file is not where the csv says"))
                continue
            labels: dict[str, LabelValue] = {
                "composer": row["canonical_composer"],
                "title": row["canonical_title"],
                "split": row["split"],
                "year": int(row["year"]),
            }
            clips.append(ClipRef(readable(file.stem), file.path, labels, notes))
        skipped += [
            Skipped(table.parent / row["audio_filename"], "in the csv of the corpus, but not there")
            for name, (table, row) in listed.items()
            if name not in there
        ]
        return clips, skipped

    def read_notes(self, clip: ClipRef) -> NDArray[np.void]:
        return super().read_notes(clip) if clip.notes_path is None else read_midi(clip.notes_path)


def _without_extension(path: Path) -> Path:
    """A recording's name: copies of the corpus hold FLAC under the names of its WAV files."""
    return path.with_name(stem) if (stem := path.name.rpartition(".")[0]) else path


def _notes_file(table: Path, name: str) -> Path | None:
    """The MIDI file that the csv names, below its folder, in any case and also as .mid."""
    named = PurePosixPath(name)
    if named.is_absolute() or ".." in named.parts:
        return None
    path, stem = table.parent / named, named.stem.lower()
    beside = files_by_lower_name(path.parent)
    return path if path.is_file() else beside.get(f"{stem}.midi") or beside.get(f"{stem}.mid")


def _tables(root: Path) -> Iterator[Path]:
    for folder in first_folders(root):
        for name in folder.files:
            if name.startswith("maestro-v") and name.endswith(".csv"):
                yield folder.path / name


def _rows(table: Path) -> list[dict[str, str]]:
    needed = {"canonical_composer", "canonical_title", "split", "year", "midi_filename", "audio_filename"}
    try:
        with table.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            reader = csv.DictReader(file)
            if missing := needed - set(reader.fieldnames or ()):
                raise DatasetError(f"{readable(table)}: no column {', '.join(sorted(missing))}")
            rows = [row for row in reader if all(row[key] is not None for key in needed) and row["year"].isdigit()]
            for row in rows:  # written on Windows
                row |= {key: row[key].replace("\\", "/") for key in ("audio_filename", "midi_filename")}
            return rows
    except (OSError, csv.Error) as fault:
        raise DatasetError(f"{readable(table)}: cannot be read: {fault}") from fault
