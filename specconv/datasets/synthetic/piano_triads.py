"""Triads in the layout of the audio piano triads: pressed for 3 s, released in the last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from specconv.datasets.piano_triads import ROOTS
from specconv.datasets.synthetic.scores import humanly
from specconv.datasets.synthetic.tones import Played, perform
from specconv.datasets.synthetic.writing import Written, random_for

SAMPLE_RATE = 16_000  # Hz
_N_SAMPLES, _PRESSED = 64_000, 48_000
_OCTAVES = (2, 3, 4)  # the fourth begins with middle C
_VELOCITIES = {"f": 105, "m": 75, "p": 45}
_INTERVALS = {"j": (0, 4, 7), "n": (0, 3, 7), "d": (0, 3, 6), "a": (0, 4, 8)}
_TAKES_RECORDED = 10  # of a chord and dynamic in audio/; audio_augmented_x10/ has ten times as many


def write_piano_triads(folder: Path, clips_a_chord: int, seed: int) -> Written:
    """``clips_a_chord`` clips of every root and type, spread over octaves, dynamics and takes."""
    written = Written()
    versions = list(_versions(clips_a_chord))
    takes = max(take for *_, take in versions) + 1
    audio = folder / ("audio" if takes <= _TAKES_RECORDED else "audio_augmented_x10")
    audio.mkdir(parents=True, exist_ok=True)
    for chord, (semitone, kind) in enumerate((s, k) for s in range(12) for k in _INTERVALS):
        for octave_step, dynamic_step, take in versions:
            octave = _OCTAVES[(chord + octave_step) % 3]
            dynamic = "fmp"[(chord + octave + dynamic_step) % 3]
            name = f"piano_{octave}_{ROOTS[semitone]}_{kind}_{dynamic}_{take:02d}"
            rng = random_for(seed, name)
            notes = [
                Played(
                    round(humanly(rng) * SAMPLE_RATE),
                    _PRESSED,
                    12 * (octave + 1) + semitone + interval,
                    _VELOCITIES[dynamic] + int(rng.integers(-8, 9)),
                )
                for interval in _INTERVALS[kind]
            ]
            sound = perform(notes, _N_SAMPLES, SAMPLE_RATE, rng, brightness=rng.uniform(0.85, 1.15))
            written.pcm16(audio / f"{name}.wav", sound, SAMPLE_RATE)
    return written


def _versions(count: int) -> Iterator[tuple[int, int, int]]:
    """(step of octave, step of dynamic, take): two takes of a chord come before its next octave.

    18 of them hold every octave and dynamic twice; 900 are all that the corpus has of a chord.
    """
    for index in range(count):
        block = index // 6
        yield index // 2 % 3, block % 3, 2 * (block // 3) + index % 2
