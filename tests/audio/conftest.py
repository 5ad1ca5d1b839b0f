from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes samples (or half a second of noise) to a new file and gives its path."""

    def make(
        name: str = "a.wav",
        samples: NDArray | None = None,
        sample_rate: int = 16000,
        *,
        channels: int = 1,
        n: int = 8000,
        subtype: str | None = None,
        container: str | None = None,
    ) -> Path:
        if samples is None:
            samples = np.random.default_rng(7).uniform(-0.9, 0.9, (n, channels))
        path = tmp_path / name
        soundfile.write(path, samples, sample_rate, subtype=subtype, format=container)
        return path

    return make


@pytest.fixture
def cut(tmp_path: Path) -> Callable[[Path, int], Path]:
    """Copies a file without its last bytes."""

    def make(path: Path, missing: int) -> Path:
        target = tmp_path / f"cut-{missing}-{path.name}"
        target.write_bytes(path.read_bytes()[:-missing])
        return target

    return make
