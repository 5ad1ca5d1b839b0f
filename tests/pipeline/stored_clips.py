"""What shards hold, clip by clip, and what each clip is when it is computed alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specconv.audio import AudioFormat, load
from specconv.config import load_config
from specconv.shards import open_shard, shard_paths
from specconv.transforms import build_transform

Specgrams = dict[str, NDArray[Any]]


def stored(out: Path) -> dict[str, Specgrams]:
    """Every clip of a folder of shards: by its path below the audio, the specgrams by their names."""
    found: dict[str, Specgrams] = {}
    for path in shard_paths(out):
        with open_shard(path.parent, path.name) as shard:
            specgrams = {name: shard.specgrams(name) for name in shard.names}
            for row, clip in enumerate(shard.clips("path")):
                assert clip not in found, f"{clip} is there twice"
                found[clip] = {name: held.read(row) for name, held in specgrams.items()}
    return found


def alone(path: Path, document: Mapping[str, Any]) -> Specgrams:
    """The specgrams of one file: no shard, no neighbours, no padding."""
    job = load_config(document)
    clip = load(path, AudioFormat(job.audio.sample_rate, job.audio.channels, job.audio.duration))
    transforms = [build_transform(transform, clip.sample_rate).eval() for transform in job.transforms]
    return {transform.name: transform(clip.waveform).numpy() for transform in transforms}


def assert_same(found: Specgrams, expected: Specgrams, share: float = 1e-6) -> None:
    """Equal in shape, and within a share of the peak."""
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert found[name].shape == values.shape, name
        peak = float(np.abs(values).max())
        np.testing.assert_allclose(found[name], values, rtol=0, atol=share * peak, err_msg=name)
