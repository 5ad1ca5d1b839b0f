from __future__ import annotations

import hashlib
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_makers import CONFIG, LABELS, make_row, make_spec, make_values, open_writer, write_shard

from specconv.errors import OutputError
from specconv.notes import NOTE_DTYPE
from specconv.shards import ClipRow, ShardWriter, create_shard, open_shard


def text(dataset: h5py.Dataset) -> list[str]:
    return [value.decode() for value in dataset[:]]


def test_the_fixed_format_reads_with_plain_h5py(tmp_path: Path) -> None:
    entry = write_shard(tmp_path, 7, range(4))
    with h5py.File(tmp_path / "shard-00007.h5") as file:
        assert set(file) == {"clips", "labels", "specgrams"}
        assert file.attrs["format"] == "specconv-shard"
        assert file.attrs["format_version"] == 1
        assert file.attrs["config"] == CONFIG
        assert file.attrs["complete"] == True  # noqa: E712 (h5py gives a NumPy bool)
        assert file.attrs["fingerprint"] == "0f"
        assert json.loads(file.attrs["failures"]) == []

        assert set(file["clips"]) == {"id", "path", "source_sample_rate", "n_samples"}
        assert text(file["clips/id"]) == ["clip 000", "clip 001", "clip 002", "clip 003"]
        assert text(file["clips/path"])[3] == "audio/clip 003.wav"
        assert file["clips/source_sample_rate"][:].tolist() == [16000] * 4
        assert file["clips/n_samples"][:].tolist() == [64000, 64001, 64002, 64003]

        values = file["specgrams/mel/values"]
        assert values.shape == (4, 6, 5)
        assert values.chunks == (1, 6, 5)
        assert values.dtype == np.float32
        assert "offsets" not in file["specgrams/mel"]
        np.testing.assert_array_equal(values[2], make_values(2, 5))
        attributes = file["specgrams/mel"].attrs
        assert list(attributes["axes"]) == ["frequency", "time"]
        assert attributes["sample_rate"] == 16000
        assert attributes["hop_length"] == 512
        assert attributes["units"] == "dB"
        assert json.loads(attributes["parameters"]) == {"n_fft": 1024}
        np.testing.assert_array_equal(attributes["center_frequencies"], [0, 1600, 3200, 4800, 6400, 8000])

        assert set(file["labels"]) == {*LABELS, "notes"}
        assert text(file["labels/root"]) == ["Df", "Cn", "Df", "Cn"]
        assert file["labels/octave"].dtype == np.int64
        assert file["labels/octave"][:].tolist() == [0, 1, 2, 0]
        assert file["labels/loudness"].dtype == np.float64
        assert file["labels/loudness"][:].tolist() == [0, 0.25, 0.5, 0.75]
        notes = file["labels/notes"]
        assert notes.dtype.names == ("clip", "onset_s", "offset_s", "pitch", "velocity", "instrument")
        assert notes[:].tolist() == [
            (1, 1, 1.5, 61, 90, -1),
            (2, 2, 2.5, 62, 90, -1),
            (2, 3, 3.5, 62, 90, -1),
        ]
    content = (tmp_path / "shard-00007.h5").read_bytes()
    assert (entry.name, entry.clips, entry.failed) == ("shard-00007.h5", 4, 0)
    assert (entry.size, entry.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert [path.name for path in tmp_path.iterdir()] == ["shard-00007.h5"]


def test_lengths_that_differ_are_flat_with_offsets(tmp_path: Path) -> None:
    write_shard(tmp_path, 0, range(4), ragged=True)
    with h5py.File(tmp_path / "shard-00000.h5") as file:
        assert file["specgrams/mel/offsets"][:].tolist() == [0, 1, 3, 6, 10]
        assert file["specgrams/mel/values"].shape == (6, 10)
        np.testing.assert_array_equal(file["specgrams/mel/values"][:, 3:6], make_values(2, 3))


@settings(deadline=None, max_examples=40)
@given(
    lengths=st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=4), max_size=6),
    n_bins=st.sampled_from([1, 3, 2000]),
    dtype=st.sampled_from(["float32", "float16", "complex64"]),
    long=st.booleans(),
    compression=st.sampled_from(["none", "lzf"]),
)
def test_ragged_lengths_come_back(
    tmp_path_factory: Any, lengths: list[list[int]], n_bins: int, dtype: str, long: bool, compression: str
) -> None:
    path = tmp_path_factory.mktemp("ragged") / "shard-00000.h5"
    clips = []
    with open_writer(path, make_spec(n_bins=n_bins, n_frames=None, dtype=dtype), compression=compression) as writer:
        for batch in lengths:
            values = [make_values(len(clips) + i, n, n_bins).astype(dtype) for i, n in enumerate(batch)]
            rows = [make_row(len(clips) + i) for i in range(len(batch))]
            if long:
                for i, clip in enumerate(values, len(clips)):
                    writer.append_long(partial(make_row, i), [{"mel": clip[:, :7]}, {"mel": clip[:, 7:]}])
            else:
                writer.append(rows, {"mel": values})
            clips += values
        assert writer.close().clips == len(clips)
    with open_shard(path.parent, path.name) as shard:
        specgrams = shard.specgrams("mel")
        for i, clip in enumerate(clips):
            np.testing.assert_array_equal(specgrams.read(i), clip)
        assert sum(block.size for block in specgrams.blocks()) == sum(clip.size for clip in clips)


@pytest.mark.parametrize("n_frames", [None, 700])
def test_a_long_clip_in_blocks_is_the_clip_at_once(tmp_path: Path, n_frames: int | None) -> None:
    # 2049 bins: a chunk is 31 frames of lengths that differ, 511 of a fixed length: neither divides a block.
    spec = make_spec(n_bins=2049, n_frames=n_frames)
    assert spec.chunk[-1] == (31 if n_frames is None else 511)
    clips = [make_values(i, 700, 2049) for i in range(3)]
    for name, cut in (("once.h5", 700), ("blocks.h5", 113)):
        with open_writer(tmp_path / name, spec) as writer:
            for i, clip in enumerate(clips):
                blocks = ({"mel": clip[:, first : first + cut]} for first in range(0, 700, cut))
                if name == "once.h5":
                    writer.append([make_row(i)], {"mel": [clip]})
                else:
                    writer.append_long(partial(make_row, i), blocks)
            writer.close()
    for name in ("once.h5", "blocks.h5"):
        with open_shard(tmp_path, name) as shard:
            for i, clip in enumerate(clips):
                np.testing.assert_array_equal(shard.specgrams("mel").read(i), clip)


@pytest.mark.parametrize("n_frames", [None, 700])
def test_a_long_clip_that_fails_leaves_no_trace(tmp_path: Path, n_frames: int | None) -> None:
    spec = make_spec(n_bins=2049, n_frames=n_frames)
    first, second = make_values(0, 700, 2049), make_values(1, 700, 2049)

    def breaks() -> Any:
        yield {"mel": second[:, :650]}
        raise OSError("the file is cut short")

    for name in ("clean.h5", "failed.h5"):
        with open_writer(tmp_path / name, spec) as writer:
            writer.append_long(partial(make_row, 0), [{"mel": first[:, :90]}, {"mel": first[:, 90:]}])
            if name == "failed.h5":
                with pytest.raises(OSError, match="cut short"):
                    writer.append_long(partial(make_row, 5), breaks())
                poison = [{"mel": second[:, :690]}, {"mel": np.full((2049, 10), np.nan, np.float32)}]
                assert writer.append_long(partial(make_row, 6), poison)[0].path == "audio/clip 006.wav"
            writer.append_long(partial(make_row, 1), [{"mel": second}])
            entry = writer.close()
            assert (entry.clips, entry.failed) == (2, 1 if name == "failed.h5" else 0)
        with open_shard(tmp_path, name) as shard:
            assert shard.clips("id") == ["clip 000", "clip 001"]
            np.testing.assert_array_equal(shard.specgrams("mel").read(0), first)
            np.testing.assert_array_equal(shard.specgrams("mel").read(1), second)
            assert shard.specgrams("mel").n_frames == 1400


def test_a_long_clip_has_its_number_of_frames(tmp_path: Path) -> None:
    with open_writer(tmp_path / "a.h5") as writer:
        with pytest.raises(ValueError, match="4 frames, not 5"):
            writer.append_long(partial(make_row, 0), [{"mel": make_values(0, 4)}])
        with pytest.raises(ValueError, match="more frames than 5"):
            writer.append_long(partial(make_row, 0), [{"mel": make_values(0, 4)}] * 2)
        writer.append_long(partial(make_row, 0), [{"mel": make_values(0, 5)}])
        assert writer.close().clips == 1


@pytest.mark.parametrize("compression", ["none", "gzip", "lzf", "zstd"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "complex64"])
@pytest.mark.parametrize("n_frames", [50, None])
def test_types_and_compressions_keep_the_values(
    tmp_path: Path, compression: str, dtype: str, n_frames: int | None
) -> None:
    values = np.stack([make_values(i, 50) for i in range(8)]).astype(dtype)
    if dtype == "complex64":
        values = values * np.complex64(1 - 2j)
    with open_writer(tmp_path / "a.h5", make_spec(n_frames=n_frames, dtype=dtype), compression=compression) as writer:
        writer.append([make_row(i) for i in range(8)], {"mel": values})
        writer.close()
    with h5py.File(tmp_path / "a.h5") as file:
        found = file["specgrams/mel/values"]
        assert found.dtype == dtype
        numbers = {"none": None, "gzip": h5py.h5z.FILTER_DEFLATE, "lzf": 32000, "zstd": hdf5plugin.ZSTD_ID}
        creation = found.id.get_create_plist()
        filters = [creation.get_filter(i)[0] for i in range(creation.get_nfilters())]
        assert filters == ([] if compression == "none" else [h5py.h5z.FILTER_SHUFFLE, numbers[compression]])
        np.testing.assert_array_equal(found[:], values if n_frames else np.concatenate(list(values), axis=1))


@pytest.mark.parametrize("whole", [True, False])
def test_values_too_small_for_float16_are_counted(tmp_path: Path, whole: bool) -> None:
    """By clip or by block; those of a clip that is left out do not count."""
    spec = make_spec("power", n_frames=None, dtype="float16")
    values = np.full((6, 4), 0.25, np.float32)
    values[0] = [1e-9, 3.3e-7, 0.0, 2.0**-20]  # zero, fewer bits, and two that float16 holds exactly
    with open_writer(tmp_path / "a.h5", spec) as writer:
        for i, clip in enumerate((values, 1e6 * values)):
            if whole:
                writer.append([make_row(i)], {"power": [clip]})
            else:
                blocks = [{"power": clip[:, :2]}, {"power": clip[:, 2:]}]
                writer.append_long(partial(make_row, i), blocks)
        writer.close()
    with open_shard(tmp_path, "a.h5") as shard:
        assert (shard.n_clips, len(shard.failures)) == (1, 1)
        assert shard.specgrams("power").n_underflow == 2
        assert shard.specgrams("power").underflow == 2 / 24


def test_float16_never_becomes_infinite(tmp_path: Path) -> None:
    values = np.stack([make_values(i, 5) for i in range(4)])
    values[1, 2, 3] = -65504
    values[2, 2, 3] = 70_000
    with open_writer(tmp_path / "a.h5", make_spec("power", dtype="float16")) as writer:
        (failed,) = writer.append([make_row(i) for i in range(4)], {"power": values})
        assert writer.close().clips == 3
    assert (failed.path, failed.stage) == ("audio/clip 002.wav", "write")
    assert failed.reason == (
        "power reaches 70000, but float16 holds no more than 65504; use shards.dtype: float32, or scale: decibel or log"
    )
    with open_shard(tmp_path, "a.h5") as shard:
        assert shard.failures == (failed,)
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["specgrams/power/values"][:], values[[0, 1, 3]].astype(np.float16))


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n_frames", [5, None])
def test_values_that_are_not_finite_fail_their_clip_alone(tmp_path: Path, poison: float, n_frames: int | None) -> None:
    values = [make_values(i, 5) for i in range(3)]
    values[0][5, 4] = poison
    specs = [make_spec("mel", n_frames=n_frames), make_spec("other", n_frames=n_frames)]
    with open_writer(tmp_path / "a.h5", *specs) as writer:
        good = [make_values(9, 5)] * 3
        (failed,) = writer.append([make_row(i) for i in range(3)], {"mel": good, "other": values})
        writer.close()
    assert failed.reason == "other has values that are not finite (NaN or infinity)"
    with open_shard(tmp_path, "a.h5") as shard:
        assert shard.clips("id") == ["clip 001", "clip 002"]
        np.testing.assert_array_equal(shard.specgrams("other").read(0), values[1])


def test_the_same_input_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first = write_shard(tmp_path / "a", 0, range(4), ragged=True, compression="gzip")
    time.sleep(1.1)  # HDF5 stores times in seconds, where it does
    second = write_shard(tmp_path / "b", 0, range(4), ragged=True, compression="gzip")
    assert first == second


def _write_and_break(writer: ShardWriter, path: Path, finish: bool) -> None:
    assert path.read_bytes() == b"the shard of an earlier run"
    writer.append([make_row(0)], {"mel": make_values(0, 5)[None]})
    if finish:
        writer.close()
    raise RuntimeError("decoder")


@pytest.mark.parametrize("finish", [False, True])
def test_a_shard_is_whole_or_absent(tmp_path: Path, finish: bool) -> None:
    path = tmp_path / "shard-00000.h5"
    path.write_bytes(b"the shard of an earlier run")
    with pytest.raises(RuntimeError, match="decoder"), open_writer(path) as writer:
        _write_and_break(writer, path, finish)
    assert [found.name for found in tmp_path.iterdir()] == ["shard-00000.h5"]
    assert (path.read_bytes()[:4] == b"\x89HDF") == finish


def test_failed_clips_are_kept_in_the_shard(tmp_path: Path) -> None:
    with open_writer(tmp_path / "a.h5") as writer:
        writer.fail("broken.wav", "decode", "not audio: \udc80 é")
        entry = writer.close()
        assert (entry.clips, entry.failed) == (0, 1)
    with open_shard(tmp_path, "a.h5") as shard:
        (failed,) = shard.failures
    assert (failed.path, failed.stage, failed.reason) == ("broken.wav", "decode", "not audio: \udc80 é")
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["specgrams/mel/values"].shape == (0, 6, 5)
        assert file["labels/notes"].shape == (0,)


def test_strings_keep_what_a_file_name_can_hold(tmp_path: Path) -> None:
    names = ["plain", "e\u0301 é 音", "line\nbreak\t%s", "-dash", "\udcff\udc80 raw bytes", "x" * 5000]
    labels = [{"root": name + "\0", "octave": -(2**63), "loudness": float("nan")} for name in names]
    rows = [ClipRow(name, name + ".wav", 44100, 0, row) for name, row in zip(names, labels, strict=True)]
    with open_writer(tmp_path / "a.h5") as writer:
        writer.append(rows, {"mel": np.zeros((6, 6, 5), np.float32)})
        writer.close()
    with open_shard(tmp_path, "a.h5") as shard:
        assert shard.clips("id") == names
        assert shard.clips("path") == [name + ".wav" for name in names]
        assert shard.labels("root") == [name + "\ufffd" for name in names]
        assert shard.labels("octave") == [-(2**63)] * 6


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"root": "Cn", "octave": 1}, "labels"),
        ({"root": "Cn", "octave": 1.5, "loudness": 1.0}, r"label octave is 1.5, not a value of int"),
        ({"root": 3, "octave": 1, "loudness": 1.0}, "label root is 3"),
        ({"root": "Cn", "octave": 2**63, "loudness": 1.0}, "label octave"),
    ],
)
def test_rows_that_do_not_fit_are_refused_at_once(tmp_path: Path, labels: Any, message: str) -> None:
    with open_writer(tmp_path / "a.h5") as writer, pytest.raises(ValueError, match=message):
        writer.append([ClipRow("a", "a.wav", 16000, 1, labels)], {"mel": np.zeros((1, 6, 5), np.float32)})


def test_notes_where_the_dataset_has_none_are_refused(tmp_path: Path) -> None:
    row = ClipRow("a", "a", 1, 1, {}, np.zeros(1, NOTE_DTYPE))
    with (
        create_shard(tmp_path, "a.h5", [], label_fields={}, has_notes=False, config_yaml="", fingerprint="") as writer,
        pytest.raises(ValueError, match="notes"),
    ):
        writer.append([row], {})


@pytest.mark.parametrize("shape", [(1, 6, 4), (1, 5, 5), (2, 6, 5), (1, 6)])
def test_specgrams_of_another_shape_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with open_writer(tmp_path / "a.h5") as writer, pytest.raises(ValueError, match=r"^mel: "):
        writer.append([make_row(0)], {"mel": np.zeros(shape, np.float32)})


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../../x", "a\0b", "\udc80"])
def test_names_that_hdf5_reads_as_paths_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be a name|is not UTF-8"):
        open_writer(tmp_path / "a.h5", make_spec(name))
    with pytest.raises(ValueError, match=r"cannot be a name|is not UTF-8"):
        open_writer(tmp_path / "a.h5", label_fields={name: str})
    assert list(tmp_path.iterdir()) == []


def test_more_than_an_attribute_of_old_hdf5_can_hold(tmp_path: Path) -> None:
    spec = make_spec(n_bins=20_000, n_frames=1)
    with open_writer(tmp_path / "a.h5", spec, config_yaml="x" * 10**6) as writer:
        writer.close()
    with open_shard(tmp_path, "a.h5") as shard:
        assert len(shard.config) == 10**6
        np.testing.assert_array_equal(shard.specgrams("mel").spec.center_frequencies, spec.center_frequencies)


def test_a_missing_zstd_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "hdf5plugin", None)
    with pytest.raises(OutputError, match="pip install hdf5plugin, or use gzip"):
        open_writer(tmp_path / "a.h5", compression="zstd")
    assert list(tmp_path.iterdir()) == []
