"""Short pieces to be played: a harmony of four voices, and figures that musicians make of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np

Voices = tuple[int, int, int, int]  # MIDI pitches, bass to soprano

# Scale degrees of a phrase, 0 the tonic; every triad is what the major scale has on its degree.
PHRASES = ((0, 5, 3, 4, 0, 3, 4, 0), (0, 3, 1, 4, 2, 5, 4, 0), (0, 4, 5, 2, 3, 0, 4, 0))
_MAJOR = (0, 2, 4, 5, 7, 9, 11)


class Score(NamedTuple):
    """One note as written: beats from the start, and which voice (0 the bass, 3 the soprano) plays it."""

    start: float
    beats: float
    pitch: int
    voice: int
    accent: float = 1.0


def harmonise(tonic: int, degrees: Sequence[int]) -> list[Voices]:
    """Four voices through the chords of ``degrees``: the root in the bass, the others moving little."""
    upper: tuple[int, ...] = (tonic + 16, tonic + 19, tonic + 24)
    chords: list[Voices] = []
    for degree in degrees:
        triad = [tonic + _MAJOR[(degree + third) % 7] for third in (0, 2, 4)]
        candidates = [
            sorted(_nearest(pitch, held) for pitch, held in zip(order, upper, strict=True))
            for order in permutations(triad)
        ]
        moves = [sum(abs(a - b) for a, b in zip(voices, upper, strict=True)) for voices in candidates]
        tenor, alto, soprano = upper = tuple(candidates[moves.index(min(moves))])
        bass = triad[0] - 12 if triad[0] > tonic + 7 else triad[0]
        chords.append((bass, tenor, alto, soprano))
    return chords


def _nearest(pitch: int, target: int) -> int:
    """The pitch of the same name nearest to ``target``."""
    return pitch + 12 * round((target - pitch) / 12)


def arpeggio(chords: Sequence[Voices]) -> list[Score]:
    """Broken chords in eighths, four beats a chord: the bass rings on below them, so that notes overlap."""
    figure = (1, 2, 3, 2, 1, 2, 3)
    score = []
    for bar, chord in enumerate(chords):
        score.append(Score(4 * bar, 3.9, chord[0], 0, 1.1))
        score += [Score(4 * bar + 0.5 * (i + 1), 0.75, chord[v], v, 0.85) for i, v in enumerate(figure)]
    return score


def waltz(chords: Sequence[Voices]) -> list[Score]:
    """Three beats a chord: the bass, two light chords, the soprano singing above."""
    score = []
    for bar, chord in enumerate(chords):
        score += [Score(3 * bar, 1, chord[0], 0), Score(3 * bar, 2.8, chord[3], 3, 1.15)]
        score += [Score(3 * bar + beat, 0.6, chord[v], v, 0.7) for beat in (1, 2) for v in (1, 2)]
    return score


def chorale(chords: Sequence[Voices]) -> list[Score]:
    """Two beats a chord; the soprano falls to the alto's pitch while that still sounds."""
    score = []
    for bar, chord in enumerate(chords):
        score += [Score(2 * bar, 1.95, pitch, voice) for voice, pitch in enumerate(chord[:3])]
        score += [Score(2 * bar, 0.95, chord[3], 3, 1.15), Score(2 * bar + 1, 0.9, chord[2], 3, 0.9)]
    return score


def humanly(rng: np.random.Generator) -> float:
    """Seconds by which a player is late: a few milliseconds, never early."""
    return float(min(abs(rng.normal(0, 0.004)), 0.015))
