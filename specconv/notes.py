"""The notes of a clip: one type for the readers of corpora and for shards."""

from __future__ import annotations

import numpy as np

NOTE_DTYPE = np.dtype(
    [("onset_s", "<f8"), ("offset_s", "<f8"), ("pitch", "<i2"), ("velocity", "<i2"), ("instrument", "<i2")]
)
"""Seconds; MIDI pitch 0..127; MIDI velocity 1..127; General MIDI program counted from 1 (1 is a grand piano).

Velocity and instrument are -1 where the corpus does not tell them.
"""
