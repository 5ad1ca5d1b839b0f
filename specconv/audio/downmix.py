"""Samples of any type and any number of channels become one channel of float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from specconv.audio.clip import Channels

_FULL_SCALE = {"int16": 2.0**15, "int32": 2.0**31, "float32": 1.0}


def to_mono(block: NDArray[Any], channels: Channels) -> NDArray[np.float32]:
    """(time, channel) int16, int32 or float32 to (time,) float32 of full scale 1.

    One channel gives what libsndfile would read as float32; more are summed in float32, one after the
    other, and divided by their number, so that a sample's value depends on no other sample.
    """
    mono = block[:, 0].astype(np.float32)
    mixed = block.shape[1] if channels == "mono" else 1
    for channel in range(1, mixed):
        np.add(mono, block[:, channel], out=mono, casting="same_kind")
    divisor = _FULL_SCALE[block.dtype.name] * mixed
    if divisor != 1:
        mono /= np.float32(divisor)
    return mono
