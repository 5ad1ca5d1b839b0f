"""MusicNet: 330 recordings of chamber music, with the notes of every instrument.

``{train,test}_data/<id>.wav`` beside ``{train,test}_labels/<id>.csv``, however deep;
``musicnet_metadata.csv`` next to them or further up. In the labels, times are sample numbers at 44.1 kHz
whatever rate a copy of the audio has, ``instrument`` is a General MIDI program counted from 1, and
``end_beat`` is a duration.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specconv.datasets.base import ClipRef, Dataset, Evidence, LabelValue, Note, Skipped, notes_array, readable
from specconv.datasets.scan import audio_files, extension, files_by_lower_name, first_folders, is_audio_name
from specconv.errors import DatasetError

CITATION = (
    "J. Thickstun, Z. Harchaoui, S. M. Kakade: Learning Features of Music from Scratch. "
    "International Conference on Learning Representations (ICLR), 2017. https://arxiv.org/abs/1611.09827"
)
LICENCE = "Creative Commons Attribution 4.0, as stated at https://doi.org/10.5281/zenodo.5120004"
HOMEPAGE = "https://doi.org/10.5281/zenodo.5120004"

LABEL_RATE = 44_100  # Hz, of the sample numbers in the labels
_SPLITS = ("train", "test")
_METADATA = "musicnet_metadata.csv"
TOLD = ("composer", "composition", "movement", "ensemble", "source", "transcriber", "catalog_name")
LABELS = dict.fromkeys(("split", *TOLD), str)


class MusicNet(Dataset):
    """Labels: split (train, test) and the metadata of the recording, "" where there is none."""

    name = "musicnet"
    title = "MusicNet"
    citation, licence, homepage = CITATION, LICENCE, HOMEPAGE
    label_fields = LABELS
    has_notes = True
    has_table = True

    def recognise(self, root: Path) -> Evidence | None:
        for folder in first_folders(root):
            words, n_clips = [], 0
            for split in _SPLITS:
                if {f"{split}_data", f"{split}_labels"} <= set(folder.folders):
                    labels = _csv_files(folder.path / f"{split}_labels")
                    audio = filter(is_audio_name, files_by_lower_name(folder.path / f"{split}_data"))
                    n_clips += sum(f"{name.rpartition('.')[0]}.csv" in labels for name in audio)
                    words.append(f"{len(labels)} csv labels in {split}_labels beside {split}_data")
            if n_clips:
                return Evidence(", ".join(words), n_clips)
        return None

    def find(self, root: Path) -> tuple[list[ClipRef], list[Skipped]]:
        found, skipped = audio_files(root)
        labels_in: dict[Path, dict[str, Path]] = {}
        metadata_of: dict[Path, dict[str, dict[str, str]]] = {}
        clips = []
        for file in found:
            folder = file.path.parent
            split = folder.name.removesuffix("_data")
            if folder == root or split not in _SPLITS or split == folder.name:
                skipped.append(Skipped(file.path, "not in a folder train_data or test_data"))
                continue
            if folder not in labels_in:
                labels_in[folder] = _csv_files(folder.with_name(f"{split}_labels"))
                metadata_of[folder] = _metadata(folder.parent, root)
            notes = labels_in[folder].get(f"{file.stem.lower()}.csv")
            if notes is None:
                skipped.append(Skipped(file.path, f"its labels are not in {split}_labels"))
                continue
            told = metadata_of[folder].get(file.stem, {})
            labels: dict[str, LabelValue] = {"split": split}
            labels.update((key, told.get(key) or "") for key in TOLD)
            clips.append(ClipRef(readable(file.stem), file.path, labels, notes))
        return clips, skipped

    def read_notes(self, clip: ClipRef) -> NDArray[np.void]:
        """Seconds, pitch and instrument of every note; notes of one pitch may overlap. Velocities are -1."""
        if clip.notes_path is None:
            return super().read_notes(clip)
        path, notes = clip.notes_path, list[Note]()
        try:
            with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
                rows = csv.DictReader(file)
                for row in rows:
                    onset, offset = int(row["start_time"]) / LABEL_RATE, int(row["end_time"]) / LABEL_RATE
                    notes.append((onset, offset, int(row["note"]), -1, int(row["instrument"])))
        except OSError as fault:
            raise DatasetError(f"{readable(path)}: {fault.strerror}") from fault
        except KeyError as fault:
            raise DatasetError(f"{readable(path)}: no column {fault} as in MusicNet's labels") from fault
        except (ValueError, TypeError, OverflowError, csv.Error) as fault:
            raise DatasetError(f"{readable(path)}: line {rows.line_num} is no note: {fault}") from fault
        return notes_array(notes, path)


def _csv_files(folder: Path) -> dict[str, Path]:
    return {name: path for name, path in files_by_lower_name(folder).items() if extension(name) == "csv"}


def _metadata(folder: Path, root: Path) -> dict[str, dict[str, str]]:
    """The rows of the metadata by recording, from ``folder`` or the nearest one above it within ``root``."""
    while not (folder / _METADATA).is_file():
        if folder == root or folder == folder.parent:
            return {}
        folder = folder.parent
    path = folder / _METADATA
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            return {row["id"]: row for row in csv.DictReader(file) if row.get("id")}
    except (OSError, csv.Error) as fault:
        raise DatasetError(f"{readable(path)}: cannot be read: {fault}") from fault
