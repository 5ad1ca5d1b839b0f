"""How time grows with the length of a clip and with their number: linearly, or something is amiss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from specconv.bench.clips import Clips
from specconv.bench.contest import Contest
from specconv.bench.recordings import chords
from specconv.bench.rows import Row

LENGTHS = tuple(20_000 * 2**k for k in range(6))  # samples: 0.45 to 14.5 s at 44.1 kHz
CLIPS_OF_EACH_LENGTH = 8
BATCHES = (1, 2, 4, 8, 16, 32, 64)  # clips
ROUNDS, SHORTEST = 3, 0.05  # the slope of a curve of many points needs no more
BATCH_LENGTH = 80_000  # samples


def time_growth(transforms: Sequence[Mapping[str, Any]], contest: Contest) -> list[Row]:
    """specconv's times against clip length and against batch size.

    Returns rows of the suites "<suite>: clip length" and "<suite>: batch size".
    """
    sizes = {
        "clip length": [(CLIPS_OF_EACH_LENGTH, length) for length in LENGTHS],
        "batch size": [(n_clips, BATCH_LENGTH) for n_clips in BATCHES],
    }
    contest = replace(contest, against=(), at_once=True, in_depth=False, rounds=ROUNDS, shortest=SHORTEST)
    waveforms = {shape: chords(*shape) for shapes in sizes.values() for shape in shapes}
    rows = []
    for what, shapes in sizes.items():
        for shape in shapes:
            clips = Clips.of([waveforms[shape]], contest.sample_rate, "generated")
            rows += replace(contest, suite=f"{contest.suite}: {what}").time_transforms(transforms, clips)
    return rows


def exponent(rows: Sequence[Row]) -> float | None:
    """p of time ~ audio_seconds ** p, by least squares in logarithms; None for fewer than two times.

    1 is linear; below 1 there is a fixed cost that small inputs do not spread.
    """
    points = [(row.audio_seconds, row.timing.median) for row in rows if row.timing]
    if len(points) < 2:
        return None
    audio, seconds = np.log(np.array(points)).T
    return float(np.polyfit(audio, seconds, 1)[0])
