from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from shard_makers import CONFIG, LABELS, make_spec, write_folder

from specconv.errors import ShardError
from specconv.shards import FailedClip, ShardEntry, read_index, remove_index, write_index, write_ledger


def test_what_the_index_says(tmp_path: Path) -> None:
    shards = [ShardEntry("shard-00001.h5", 3, 1, 30, "b" * 64), ShardEntry("shard-00000.h5", 4, 0, 40, "a" * 64)]
    audio = Path("/data/\udcff clips")
    written = write_index(
        tmp_path,
        dataset="piano-triads",
        audio=audio,
        config_yaml=CONFIG,
        specs=[make_spec(), make_spec("cqt", n_frames=None)],
        label_fields=LABELS,
        has_notes=False,
        shards=shards,
    )
    content = json.loads((tmp_path / "index.json").read_text())
    assert content["format"] == "specconv-index"
    assert content["format_version"] == 1
    assert content["created"].endswith("+00:00")
    assert set(content["versions"]) == {"specconv", "torch", "numpy", "h5py"}
    assert (content["dataset"], content["clips"], content["failed"]) == ("piano-triads", 7, 1)
    assert content["audio"] == str(audio)
    assert content["config"] == CONFIG
    assert content["shards"][0] == {
        "name": "shard-00000.h5",
        "clips": 4,
        "failed": 0,
        "size": 40,
        "sha256": "a" * 64,
    }
    assert content["specgrams"]["mel"]["n_frames"] == 5
    assert content["specgrams"]["cqt"]["n_frames"] is None
    assert content["labels"] == {"root": "string", "octave": "int64", "loudness": "float64"}
    assert content["notes"] is False
    assert read_index(tmp_path) == written
    assert [path.name for path in tmp_path.iterdir()] == ["index.json"]
    remove_index(tmp_path)
    assert read_index(tmp_path) is None


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[:-20], "is damaged: not JSON"),
        (lambda _: "[" * 100_000, "is damaged"),
        (lambda _: "[]", "is damaged"),
        (lambda _: "\0\xff", "is damaged"),
        (lambda text: text.replace('"size"', '"sizes"'), r"is damaged: shards.0.size: Field required"),
        (lambda text: text.replace("specconv-index", "other"), "it is no index of specconv"),
        (lambda text: text.replace('"format_version": 1', '"format_version": 2'), "made by a newer specconv"),
    ],
)
def test_a_damaged_index_is_said(tmp_path: Path, damage: object, message: str) -> None:
    folder = write_folder(tmp_path / "out")
    path = folder / "index.json"
    path.write_text(damage(path.read_text()), encoding="latin-1")  # type: ignore[operator]
    with pytest.raises(ShardError, match=message) as caught:
        read_index(folder)
    assert str(caught.value).startswith(str(path))


def test_an_index_that_is_no_ordinary_file(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "out")
    path = folder / "index.json"
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ShardError, match=r"is a link to .*elsewhere.json, outside its folder"):
        read_index(folder)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ShardError, match="is not a regular file"):
        read_index(folder)


def test_the_ledger_is_made_anew_each_time(tmp_path: Path) -> None:
    first = FailedClip("a\nb.wav", "decode", "é \udc80")
    second = FailedClip("c.wav", "open", "gone")
    write_ledger(tmp_path, {"shard-00001.h5": [second], "shard-00000.h5": [first], "shard-00002.h5": []})
    for _ in range(2):
        lines = (tmp_path / "errors.jsonl").read_text(encoding="ascii").splitlines()
        assert [json.loads(line) for line in lines] == [
            {"path": "a\nb.wav", "stage": "decode", "reason": "é \udc80", "shard": "shard-00000.h5"},
            {"path": "c.wav", "stage": "open", "reason": "gone", "shard": "shard-00001.h5"},
        ]
        write_ledger(tmp_path, {"shard-00000.h5": [first], "shard-00001.h5": [second]})
    write_ledger(tmp_path, {"shard-00000.h5": [], "shard-00001.h5": []})
    assert list(tmp_path.iterdir()) == []
    write_ledger(tmp_path, {})
    assert list(tmp_path.iterdir()) == []
