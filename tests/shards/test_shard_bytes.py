"""The bytes of a shard: equal input makes the bytes that version 0.1.0 made, and its shards stay readable."""

from __future__ import annotations

import hashlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from shard_makers import make_row, make_spec, make_values, n_frames_of, open_writer, write_folder

from specconv.shards import ShardDataset, summary, verify

OLD = Path(__file__).parent / "version-0.1.0"

# Of two transforms of seven clips, by length and type of the values; written by version 0.1.0.
SHA_256 = {
    ("fixed", "float32"): "89c2f129b32c5fa95ca1c194c426a6784ecbdd6c2cbd1a5f08e8a393e01adc33",
    ("fixed", "complex64"): "2368a634b2cd7ffb3014af64be4ba7cf972ed77cb45e482cd9b893dbf605bfd8",
    ("ragged", "float32"): "ccde84eea8dba3d2fd003e796b4a9960f2c35c913768df55b388926f49897637",
    ("ragged", "complex64"): "d903d3aba038aedab3cbab06a696076cd7c27d8450c6b6d4e96fde12062ec452",
}


def write(path: Path, dtype: str, *, ragged: bool) -> str:
    first = make_spec("first", n_frames=None if ragged else 5, dtype=dtype)
    second = make_spec("second", n_frames=None if ragged else 5, n_bins=3)
    with open_writer(path, first, second) as writer:
        for clips in (range(3), range(3, 7)):
            specgrams = {
                "first": [make_values(i, n_frames_of(i, ragged)).astype(dtype) for i in clips],
                "second": [make_values(i, n_frames_of(i, ragged), 3) for i in clips],
            }
            writer.append([make_row(i, n_notes=i % 3) for i in clips], specgrams)
        writer.fail("bad.wav", "open", "no audio")
        writer.close()
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.skipif(not h5py.version.hdf5_version.startswith("2."), reason="another libhdf5 may write other bytes")
@pytest.mark.parametrize(("lengths", "dtype"), SHA_256)
def test_equal_input_makes_the_bytes_of_version_0_1_0(tmp_path: Path, lengths: str, dtype: str) -> None:
    assert write(tmp_path / "a.h5", dtype, ragged=lengths == "ragged") == SHA_256[lengths, dtype]


@pytest.mark.parametrize("lengths", ["fixed", "ragged"])
def test_shards_of_version_0_1_0_are_readable(tmp_path: Path, lengths: str) -> None:
    assert verify(OLD / lengths).faults == ()
    assert summary(OLD / lengths).clips == 7
    write_folder(tmp_path / "new", ragged=lengths == "ragged")
    old, new = ShardDataset(OLD / lengths, "mel"), ShardDataset(tmp_path / "new", "mel")
    for i in range(7):
        assert np.array_equal(old[i][0], make_values(i, n_frames_of(i, lengths == "ragged")))
        assert repr(old[i][1]) == repr(new[i][1])
