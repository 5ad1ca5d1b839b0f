"""MAPS: nine pianos, single notes to whole pieces, each wav with its notes beside it.

``<root>/<piano>/{ISOL,RAND,UCHO,MUS}/...``, however deep the zips nest it: the name of a file alone tells
what it is, its folders tell nothing. The notes stand in the ``.txt``, the velocities in the ``.mid``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specconv.datasets.base import ClipRef, Dataset, Evidence, LabelValue, Note, Skipped, notes_array, readable
from specconv.datasets.midi import read_midi
from specconv.datasets.scan import audio_files, files_by_lower_name, named_like
from specconv.errors import DatasetError

CITATION = (
    "V. Emiya, N. Bertin, B. David, R. Badeau: MAPS - A piano database for multipitch estimation and "
    "automatic transcription of music. Research report, Telecom ParisTech, 2010. https://hal.inria.fr/inria-00544155"
)
LICENCE = "Creative Commons, for research and not for commerce: as stated in the MAPS_doc.pdf of every copy"
HOMEPAGE = "https://adasp.telecom-paris.fr/resources/2010-07-08-maps-database/"

LABELS = dict.fromkeys(("piano", "set", "split", "piece", "style", "loudness", "chord"), str) | dict.fromkeys(
    ("pedal", "pitch"), int
)
TEST_PIANOS = ("ENSTDkAm", "ENSTDkCl")  # the two Disklaviers, recorded; the others are synthesised
PIANOS = ("AkPnBcht", "AkPnBsdf", "AkPnCGdD", "AkPnStgb", "SptkBGAm", "SptkBGCl", "StbgTGd2", *TEST_PIANOS)

_GRAND_PIANO = 1  # General MIDI, counted from 1
_SAME_NOTE = 0.02  # s; .txt and .mid of a clip tell the same onsets but for rounding

# The piano is what follows the last "_": a piece's name may hold "_" and "-". Some copies add a 2 to it.
_PIANO = re.compile(rf"(?i:({'|'.join(PIANOS)})2?)")
_SETS = {
    "MUS": re.compile(r"MAPS_MUS-(?P<piece>.+)", re.DOTALL),
    "ISOL": re.compile(
        r"MAPS_ISOL_(?P<style>[A-Z]{2}[0-9.]*)(?:_(?P<loudness>[PMF]))?(?:_S(?P<pedal>[01]))?(?:_M(?P<pitch>\d{1,3}))?"
    ),
    "RAND": re.compile(r"MAPS_RAND_P\d_M\d+-\d+_I\d+-\d+_S(?P<pedal>[01])_n\d+"),
    "UCHO": re.compile(r"MAPS_UCHO_C(?P<chord>\d+(?:-\d+)*)_I\d+-\d+_S(?P<pedal>[01])_n\d+"),
}
_CLIP_NAME = re.compile(r"MAPS_(?:MUS-|ISOL_|RAND_|UCHO_).+_[A-Za-z0-9]+", re.DOTALL)


class Maps(Dataset):
    """Labels: piano, set, split, and what the name tells: piece, style, loudness, chord, pedal, pitch.

    What a name does not tell is "" or -1. split: "test" for the two Disklaviers, "train" for the others, but
    "dropped" for a train piece (MUS) that some test piano of the same folder plays too: the usual split.
    """

    name = "maps"
    title = "MAPS, MIDI-aligned piano sounds"
    citation, licence, homepage = CITATION, LICENCE, HOMEPAGE
    label_fields = LABELS
    has_notes = True

    def recognise(self, root: Path) -> Evidence | None:
        return named_like(root, _CLIP_NAME)

    def find(self, root: Path) -> tuple[list[ClipRef], list[Skipped]]:
        found, skipped = audio_files(root)
        beside: dict[Path, dict[str, Path]] = {}
        clips = []
        for file in found:
            labels = _labels(file.stem)
            if labels is None:
                skipped.append(Skipped(file.path, "not named MAPS_<set>..._<piano>, one of the nine"))
                continue
            folder = file.path.parent
            if folder not in beside:
                beside[folder] = files_by_lower_name(folder)
            notes = beside[folder].get(f"{file.stem.lower()}.txt")
            if notes is None:
                skipped.append(Skipped(file.path, "its notes, a .txt of the same name, are not beside it"))
                continue
            clips.append((ClipRef(readable(file.stem), file.path, labels, notes), labels))
        tested = {labels["piece"] for _, labels in clips if labels["split"] == "test"} - {""}
        for _, labels in clips:
            if labels["split"] == "train" and labels["piece"] in tested:
                labels["split"] = "dropped"
        return [clip for clip, _ in clips], skipped

    def read_notes(self, clip: ClipRef) -> NDArray[np.void]:
        """Onsets, offsets (pedal included) and pitches of the .txt; velocities of the .mid, else -1."""
        if clip.notes_path is None:
            return super().read_notes(clip)
        notes = _read_text(clip.notes_path)
        midi = files_by_lower_name(clip.notes_path.parent).get(f"{clip.notes_path.stem.lower()}.mid")
        if midi is not None:
            with suppress(DatasetError):  # the notes are whole without it, and -1 says what is not known
                _copy_velocities(read_midi(midi), notes)
        return notes


def _labels(stem: str) -> dict[str, LabelValue] | None:
    body, _, last = stem.rpartition("_")
    piano = _PIANO.fullmatch(last)
    if piano is None:
        return None
    for set_, pattern in _SETS.items():
        if name := pattern.fullmatch(body):
            told = {key: value for key, value in name.groupdict().items() if value is not None}
            as_known = next(known for known in PIANOS if known.lower() == piano[1].lower())
            return {
                "piano": as_known,
                "set": set_,
                "split": "test" if as_known in TEST_PIANOS else "train",
                "piece": readable(told.get("piece", "")),
                "style": told.get("style", ""),
                "loudness": told.get("loudness", ""),
                "chord": told.get("chord", ""),
                "pedal": int(told.get("pedal", -1)),
                "pitch": int(told.get("pitch", -1)),
            }
    return None


def _read_text(path: Path) -> NDArray[np.void]:
    notes: list[Note] = []
    line = ""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as lines:
            for line in lines:
                fields = line.split()
                if fields and fields[0] != "OnsetTime":
                    onset, offset, pitch = fields
                    notes.append((float(onset), float(offset), int(pitch), -1, _GRAND_PIANO))
    except OSError as fault:
        raise DatasetError(f"{readable(path)}: {fault.strerror}") from fault
    except ValueError as fault:
        raise DatasetError(f"{readable(path)}: {line[:80]!r} is not onset, offset, MIDI pitch") from fault
    return notes_array(notes, path)


def _copy_velocities(played: NDArray[np.void], notes: NDArray[np.void]) -> None:
    """Give each of ``notes`` the velocity of the nearest onset of its pitch in ``played``; both by onset."""
    by_pitch: dict[int, list[int]] = defaultdict(list)
    for index, pitch in enumerate(played["pitch"].tolist()):
        by_pitch[pitch].append(index)
    for note in notes:
        candidates = np.array(by_pitch[int(note["pitch"])], dtype=int)
        if candidates.size:
            distance = np.abs(played["onset_s"][candidates] - note["onset_s"])
            if distance.min() <= _SAME_NOTE:
                note["velocity"] = played["velocity"][candidates[distance.argmin()]]
