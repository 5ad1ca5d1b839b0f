from __future__ import annotations

import json
import random
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from shard_makers import CONFIG, LABELS, make_row, make_spec, open_writer, write_folder, write_shard

from specconv.shards import read_index, summary, verify, write_index
from specconv.shards.layout import SpecgramSpec


def test_a_sound_folder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "out")
    names: list[str] = []
    report = verify(folder, progress=names.append)
    assert report.faults == ()
    assert (report.shards, report.clips) == (3, 7)
    assert report.size == sum(path.stat().st_size for path in folder.glob("*.h5"))
    assert names == ["shard-00000.h5", "shard-00001.h5", "shard-00002.h5"]


def test_any_single_flipped_byte_is_found_and_its_shard_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "out")
    path = folder / "shard-00002.h5"
    whole = path.read_bytes()
    chance = random.Random(0)
    for place in [0, len(whole) - 1, *chance.sample(range(len(whole)), 30)]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        (fault,) = verify(folder).faults
        assert fault.key == "shard-00002.h5"
        assert fault.message.startswith("its bytes have changed: its SHA-256 is ")
    path.write_bytes(whole)
    assert verify(folder).faults == ()


def test_a_shard_whose_bytes_have_changed_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_folder(tmp_path / "out")
    path = folder / "shard-00000.h5"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    opened: list[str] = []
    module = sys.modules["specconv.shards.verify"]  # the package has a function of this name
    monkeypatch.setattr(module, "open_shard", lambda _, name: opened.append(name) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        verify(folder)
    assert opened == ["shard-00001.h5"]


def test_missing_extra_and_resized_shards_are_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "out")
    (folder / "shard-00002.h5").rename(folder / "shard-00007.h5")
    with (folder / "shard-00000.h5").open("ab") as file:
        file.write(b"x")
    (folder / "notes.txt").touch()  # not ours
    faults = {fault.key: fault.message for fault in verify(folder).faults}
    assert set(faults) == {"shard-00000.h5", "shard-00002.h5", "shard-00007.h5"}
    assert "bytes, not the" in faults["shard-00000.h5"]
    assert faults["shard-00002.h5"] == "missing; restore it, or convert again"
    assert faults["shard-00007.h5"] == "not in the index; remove it, or convert again"


def test_without_an_index_shards_are_checked_in_structure(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "out")
    (folder / "index.json").unlink()
    report = verify(folder)
    assert [fault.key for fault in report.faults] == ["index.json"]
    assert "the conversion did not finish" in report.faults[0].message
    assert report.clips == 7
    (folder / "index.json").write_text("{")
    report = verify(folder)
    assert [fault.key for fault in report.faults] == ["index.json"]
    assert report.faults[0].message.startswith("is damaged")


@pytest.mark.parametrize("change", ["clips", "config", "labels", "units"])
def test_an_index_of_another_conversion_is_noticed(tmp_path: Path, change: str) -> None:
    folder = write_folder(tmp_path / "out")
    index = json.loads((folder / "index.json").read_text())
    if change == "clips":
        index["shards"][0]["clips"] = 5
    elif change == "config":
        index["config"] = "other"
    elif change == "labels":
        index["labels"]["chord"] = "string"
    else:
        index["specgrams"]["mel"]["units"] = "W"
    (folder / "index.json").write_text(json.dumps(index))
    faults = verify(folder).faults
    assert {fault.key for fault in faults} == (
        {"shard-00000.h5"} if change == "clips" else {"shard-00000.h5", "shard-00001.h5", "shard-00002.h5"}
    )


def test_long_values_are_checked_to_the_end_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specconv.shards.hdf5.reader._BLOCK_BYTES", 10_000)
    for n_frames, n_bins in ((None, 6), (40, 6), (3000, 700)):
        folder = tmp_path / f"out {n_frames}"
        folder.mkdir()
        spec = make_spec(n_frames=n_frames, n_bins=n_bins)
        rows = [make_row(i) for i in range(5)]
        with open_writer(folder / "shard-00000.h5", spec) as writer:
            frames = n_frames or 5000
            writer.append(rows, {"mel": np.zeros((5, n_bins, frames), np.float32)})
            entry = writer.close()
        index_of(folder, spec, [entry])
        assert verify(folder).faults == ()
        poison(folder / "shard-00000.h5")
        (folder / "index.json").unlink()
        faults = [fault for fault in verify(folder).faults if fault.key != "index.json"]
        assert [fault.message for fault in faults] == [
            "/specgrams/mel/values: not finite (NaN or infinity); convert again"
        ]


def poison(path: Path) -> None:
    import h5py

    with h5py.File(path, "r+") as file:
        values = file["specgrams/mel/values"]
        values[tuple(size - 1 for size in values.shape)] = np.inf


def index_of(folder: Path, spec: SpecgramSpec, shards: list) -> None:  # type: ignore[type-arg]
    write_index(
        folder, dataset="folder", audio=folder, config_yaml=CONFIG, specs=[spec], label_fields=LABELS, has_notes=True,
        shards=shards,
    )  # fmt: skip


def test_summary_of_a_finished_folder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "out", ragged=True)
    found = summary(folder)
    index = read_index(folder)
    assert index is not None
    assert found.finished
    assert (found.dataset, found.created, found.config) == ("folder", index.created, CONFIG)
    assert found.versions["numpy"] == np.__version__
    assert (found.shards, found.clips, found.failed, found.notes) == (3, 7, 0, 6)
    assert found.hours == pytest.approx(sum(64000 + i for i in range(7)) / 16000 / 3600)
    assert found.size == sum(path.stat().st_size for path in folder.glob("*.h5"))
    mel = found.specgrams["mel"]
    assert (mel.spec.n_bins, mel.spec.n_frames, mel.spec.units, mel.n_frames) == (6, None, "dB", 28)
    assert mel.size >= 28 * 6 * 4
    assert found.labels["root"].counts == {"Df": 4, "Cn": 3}
    assert list(found.labels["octave"].counts.items()) == [(0, 3), (1, 2), (2, 2)]
    assert (found.labels["octave"].type, found.labels["octave"].smallest, found.labels["octave"].largest) == (
        "int64", 0, 2,
    )  # fmt: skip
    assert found.labels["root"].smallest is None


def test_summary_of_a_conversion_under_way(tmp_path: Path) -> None:
    for number in range(2):
        write_shard(tmp_path, number, range(3))
    found = summary(tmp_path)
    assert (found.finished, found.dataset, found.shards, found.clips) == (False, None, 2, 6)
    assert found.specgrams["mel"].n_frames == 30
    shutil.copy(tmp_path / "shard-00000.h5", tmp_path / "copy.h5")
    assert summary(tmp_path).shards == 2
