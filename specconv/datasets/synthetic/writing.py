"""Files of the demo: audio as each corpus stores it, the same bytes for the same samples."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from specconv.datasets.synthetic.tones import Samples


@dataclass
class Written:
    """Grows with every clip."""

    clips: int = 0
    seconds: float = 0.0
    size: int = 0  # bytes of audio

    def pcm16(self, path: Path, samples: Samples, sample_rate: int) -> None:
        """(n_samples, channels) within -1..1 as a 16-bit wav."""
        soundfile.write(path, np.round(samples * 32767).astype(np.int16), sample_rate, subtype="PCM_16")
        self._count(path, samples, sample_rate)

    def float32(self, path: Path, samples: Samples, sample_rate: int) -> None:
        """(n_samples, 1) as mono 32-bit float wav; by hand, as libsndfile puts the time of day in those."""
        data = samples.astype("<f4").tobytes()
        form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, sample_rate, 4 * sample_rate, 4, 32)
        fact = struct.pack("<4sII", b"fact", 4, samples.shape[0])
        chunks = form + fact + struct.pack("<4sI", b"data", len(data)) + data
        path.write_bytes(struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WAVE") + chunks)
        self._count(path, samples, sample_rate)

    def _count(self, path: Path, samples: Samples, sample_rate: int) -> None:
        self.clips += 1
        self.seconds += samples.shape[0] / sample_rate
        self.size += path.stat().st_size


def random_for(seed: int, name: str) -> np.random.Generator:
    """Chance that depends on the seed and the clip's name alone, not on what else is made."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])
