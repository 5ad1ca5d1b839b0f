"""Pianos in the layout of MAPS: pieces, single notes, random and usual chords, with .txt and .mid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from specconv.datasets.base import Note, notes_array
from specconv.datasets.midi import write_midi
from specconv.datasets.synthetic.scores import PHRASES, Score, arpeggio, chorale, harmonise, humanly, waltz
from specconv.datasets.synthetic.tones import RELEASE, Played, perform
from specconv.datasets.synthetic.writing import Written, random_for

SAMPLE_RATE = 44_100  # Hz
_BEFORE = 0.5  # s of silence at the start
_PIECES = {"demo_prelude-1": arpeggio, "demo_waltz": waltz, "demo_chorale_op2-1": chorale}
# brightness, and which pieces: the waltz and the chorale are played by the test piano too
_PIANOS = {
    "AkPnBcht": (1.0, ("demo_prelude-1", "demo_waltz")),
    "StbgTGd2": (1.2, ("demo_prelude-1", "demo_chorale_op2-1")),
    "ENSTDkCl": (0.8, ("demo_waltz", "demo_chorale_op2-1")),
}
_WITH_ALL_SETS = ("AkPnBcht", "ENSTDkCl")
_CHORDS = ("0-4-7", "0-5-9", "0-3-7", "0-3-6", "0-4-8", "0-4-7-10")
_VELOCITIES = {"P": 40, "M": 70, "F": 105}


def write_maps(folder: Path, bars: int, chords: int, seed: int) -> Written:
    """Every piano's pieces of ``bars`` bars; of two also ISOL, and ``chords`` clips of RAND and of UCHO."""
    writer = _Writer(folder, seed)
    for piano, (_, pieces) in _PIANOS.items():
        for piece in pieces:
            writer.piece(piano, piece, bars)
        if piano in _WITH_ALL_SETS:
            writer.single_notes(piano)
            for index in range(chords):
                writer.random_chord(piano, 2 + index % 6, index + 1)
                writer.usual_chord(piano, _CHORDS[index % 6], index + 1)
    return writer.written


class _Writer:
    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed, self.written = folder, seed, Written()

    def piece(self, piano: str, piece: str, bars: int) -> None:
        name = f"MAPS_MUS-{piece}_{piano}"
        of_piece, rng = random_for(self.seed, piece), random_for(self.seed, name)
        phrase = PHRASES[of_piece.integers(len(PHRASES))]
        chords = harmonise(int(of_piece.integers(43, 50)), [phrase[bar % len(phrase)] for bar in range(bars)])
        beat = 60 / of_piece.uniform(84, 108)
        notes = [_as_played(note, beat, rng) for note in _PIECES[piece](chords)]
        self._write(f"{piano}/MUS", name, _on_one_keyboard(notes), rng, pedal=False)

    def single_notes(self, piano: str) -> None:
        for style, loudness, pedal, pitch in (
            ("NO", "F", 0, 60),
            ("NO", "M", 0, 45),
            ("NO", "P", 1, 76),
            ("LG", "M", 0, 33),
            ("ST", "F", 0, 69),
            ("RE", "M", 0, 64),
        ):
            name = f"MAPS_ISOL_{style}_{loudness}_S{pedal}_M{pitch}_{piano}"
            rng = random_for(self.seed, name)
            held, times = {"NO": (1.2, 1), "LG": (2.5, 1), "ST": (0.12, 1), "RE": (0.2, 6)}[style]
            velocity = _VELOCITIES[loudness]
            notes = [_note(_BEFORE + 0.25 * i, held, pitch, velocity) for i in range(times)]
            self._write(f"{piano}/ISOL/{style}", name, notes, rng, pedal=bool(pedal))
        name = f"MAPS_ISOL_CH0.1_M_{piano}"
        run = [_note(_BEFORE + 0.1 * i, 0.1, 60 + i, _VELOCITIES["M"]) for i in range(13)]
        self._write(f"{piano}/ISOL/CH", name, run, random_for(self.seed, name), pedal=False)

    def random_chord(self, piano: str, n_notes: int, number: int) -> None:
        pedal = number % 2
        name = f"MAPS_RAND_P{n_notes}_M21-108_I32-96_S{pedal}_n{number}_{piano}"
        rng = random_for(self.seed, name)
        pitches = rng.choice(np.arange(21, 109), n_notes, replace=False)
        notes = [_note(_BEFORE, 1.6, int(pitch), int(rng.integers(32, 97))) for pitch in sorted(pitches)]
        self._write(f"{piano}/RAND/M21-108/I32-96/P{n_notes}", name, notes, rng, pedal=bool(pedal))

    def usual_chord(self, piano: str, chord: str, number: int) -> None:
        pedal = (number + 1) % 2
        name = f"MAPS_UCHO_C{chord}_I32-96_S{pedal}_n{number}_{piano}"
        rng = random_for(self.seed, name)
        root = int(rng.integers(40, 73))
        notes = [_note(_BEFORE, 1.6, root + int(step), int(rng.integers(32, 97))) for step in chord.split("-")]
        self._write(f"{piano}/UCHO/I32-96/C{chord}", name, notes, rng, pedal=bool(pedal))

    def _write(self, folder: str, name: str, notes: Sequence[Played], rng: np.random.Generator, *, pedal: bool) -> None:
        """Audio, .txt, .mid. With the pedal down keys go up halfway; the .txt tells where the sound ends."""
        path = self.folder / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        end = max(note.offset for note in notes)
        n_samples = end + round((RELEASE + 0.1) * SAMPLE_RATE)
        brightness = _PIANOS[name.rpartition("_")[2]][0]
        sound = perform(notes, n_samples, SAMPLE_RATE, rng, brightness=brightness, channels=2)
        self.written.pcm16(path.with_name(f"{name}.wav"), sound, SAMPLE_RATE)
        times = [(note.onset / SAMPLE_RATE, note.offset / SAMPLE_RATE, note.pitch) for note in sorted(notes)]
        rows = [f"{onset:.6f}\t{offset:.6f}\t{pitch}\n" for onset, offset, pitch in times]
        path.with_name(f"{name}.txt").write_text("".join(("OnsetTime\tOffsetTime\tMidiPitch\n", *rows)))
        keys: list[Note] = [
            (
                note.onset / SAMPLE_RATE,
                ((note.onset + note.offset) // 2 if pedal else note.offset) / SAMPLE_RATE,
                note.pitch,
                note.velocity,
                1,
            )
            for note in notes
        ]
        midi = path.with_name(f"{name}.mid")
        write_midi(midi, notes_array(keys, midi), SAMPLE_RATE, [(0.0, end / SAMPLE_RATE)] if pedal else [])


def _note(start: float, held: float, pitch: int, velocity: int) -> Played:
    return Played(round(start * SAMPLE_RATE), round((start + held) * SAMPLE_RATE), pitch, velocity)


def _as_played(note: Score, beat: float, rng: np.random.Generator) -> Played:
    """beat: seconds."""
    velocity = int(np.clip(66 * note.accent + rng.normal(0, 5), 20, 120))
    return _note(_BEFORE + note.start * beat + humanly(rng), note.beats * beat * 0.97, note.pitch, velocity)


def _on_one_keyboard(notes: Sequence[Played]) -> list[Played]:
    """By onset; a key that is struck while it is down ends the note it sounds."""
    played: list[Played] = []
    last: dict[int, int] = {}  # pitch to its latest note
    for note in sorted(notes):
        if note.pitch in last:
            before = played[last[note.pitch]]
            played[last[note.pitch]] = before._replace(offset=min(before.offset, note.onset))
        last[note.pitch] = len(played)
        played.append(note)
    return played
