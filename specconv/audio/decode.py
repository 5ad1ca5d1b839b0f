"""A file as it is: its header, or all of its samples."""

from __future__ import annotations

import numpy as np
import torch

from specconv.audio.clip import AudioInfo, Clip
from specconv.audio.source import Source, StrPath


def probe(path: StrPath) -> AudioInfo:
    """What the header of a file says; nothing is decoded.

    The samples of files joined end to end are counted together. Raises AudioError as ``decode`` does, except for
    what only decoding brings to light.
    """
    with Source(path) as source:
        return AudioInfo(source.count_samples(), source.sample_rate, source.channels)


def decode(path: StrPath) -> Clip:
    """All samples of a file, as integers where it holds integers.

    Reads what libsndfile recognises by content: WAV, RF64, W64, AIFF, CAF, AU, NIST, FLAC, Ogg Vorbis and
    Opus, MP3 and rarer ones; files of one format that were joined end to end are read one after the other.
    Raises AudioError(path, stage, reason) for everything else, and for a file that holds less than it promises,
    no sample, or a float that is NaN, infinite or beyond 2^40.
    """
    with Source(path) as source:
        blocks = list(source.blocks())
        block = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        return Clip(torch.from_numpy(np.ascontiguousarray(block.T)), source.sample_rate)
