"""Chamber music in the layout of MusicNet: several instruments, notes that overlap, labels in samples."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from specconv.datasets.musicnet import LABEL_RATE, TOLD
from specconv.datasets.synthetic.scores import (
    PHRASES,
    Score,
    Voices,
    arpeggio,
    chorale,
    harmonise,
    humanly,
    waltz,
)
from specconv.datasets.synthetic.tones import RELEASE, Played, perform
from specconv.datasets.synthetic.writing import Written, random_for

_BEFORE = 0.2  # s of silence at the start


class _Recording(NamedTuple):
    id: int
    split: str
    composition: str
    figure: Callable[[Sequence[Voices]], list[Score]]
    ensemble: str
    programs: tuple[int, int, int, int]  # General MIDI from 1, bass to soprano


_RECORDINGS = (
    _Recording(9001, "train", "Chorale No. 1", chorale, "String Quartet", (43, 42, 41, 41)),
    _Recording(9002, "train", "Waltz No. 1", waltz, "Piano Trio", (43, 1, 1, 41)),
    _Recording(9003, "test", "Chorale No. 2", chorale, "Wind Quartet", (71, 61, 72, 74)),
    _Recording(9004, "train", "Prelude No. 1", arpeggio, "Solo Piano", (1, 1, 1, 1)),
    _Recording(9005, "train", "Waltz No. 2", waltz, "Accompanied Clarinet", (1, 1, 1, 72)),
    _Recording(9006, "test", "Prelude No. 2", arpeggio, "Piano Quartet", (43, 42, 1, 1)),
)
_NOTE_VALUES = {0.5: "Eighth", 1.0: "Quarter", 2.0: "Half", 3.0: "Dotted Half", 4.0: "Whole"}
_COLUMNS = ("start_time", "end_time", "instrument", "note", "start_beat", "end_beat", "note_value")
_METADATA = ("id", *TOLD, "seconds")


def write_musicnet(folder: Path, bars: int, pieces: int, seed: int) -> Written:
    """The first ``pieces`` of six recordings, of different lengths; three and more hold train and test."""
    written = Written()
    metadata = []
    for index, recording in enumerate(_RECORDINGS[:pieces]):
        rng = random_for(seed, str(recording.id))
        phrase = PHRASES[rng.integers(len(PHRASES))]
        degrees = [phrase[bar % len(phrase)] for bar in range(bars + index % 3)]
        score = sorted(recording.figure(harmonise(int(rng.integers(43, 50)), degrees)))
        beat = 60 / rng.uniform(76, 104)
        notes = [_as_played(note, beat, recording.programs[note.voice], rng) for note in score]
        n_samples = max(note.offset for note in notes) + round((RELEASE + 0.2) * LABEL_RATE)
        data, labels = (folder / f"{recording.split}_{kind}" for kind in ("data", "labels"))
        for made in (data, labels):
            made.mkdir(parents=True, exist_ok=True)
        sound = perform(notes, n_samples, LABEL_RATE, rng)
        written.float32(data / f"{recording.id}.wav", sound, LABEL_RATE)
        _write_csv(labels / f"{recording.id}.csv", _COLUMNS, sorted(map(_label, notes, score)))
        told = ("specconv", recording.composition, f"{index + 1}. Demo", recording.ensemble, "specconv demo")
        metadata.append((recording.id, *told, "none", f"D{index + 1}", round(n_samples / LABEL_RATE)))
    _write_csv(folder / "musicnet_metadata.csv", _METADATA, metadata)
    return written


def _as_played(note: Score, beat: float, program: int, rng: np.random.Generator) -> Played:
    onset = _BEFORE + note.start * beat + humanly(rng)
    velocity = int(np.clip(70 * note.accent + rng.normal(0, 5), 20, 120))
    offset = onset + note.beats * beat * 0.97
    return Played(round(onset * LABEL_RATE), round(offset * LABEL_RATE), note.pitch, velocity, program)


def _label(played: Played, note: Score) -> tuple[int, int, int, int, float, float, str]:
    value = _NOTE_VALUES[min(_NOTE_VALUES, key=lambda beats: abs(beats - note.beats))]
    return (*played[:2], played.program, played.pitch, float(note.start), float(note.beats), value)


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])
