"""MusicNet: nesting, metadata, labels in samples, overlaps."""

from __future__ import annotations

from pathlib import Path

import pytest

from specconv.datasets import Listing, open_dataset
from specconv.errors import DatasetError

HEADER = "start_time,end_time,instrument,note,start_beat,end_beat,note_value\n"


def musicnet(
    root: Path,
    *clips: str,
    rows: str = "44100,88200,43,60,4.0,1.5,Dotted Quarter\n",
    metadata: str | None = None,
) -> Listing:
    """clips: as "train/1727"."""
    for clip in clips:
        split, number = clip.split("/")
        for kind, name, text in (("data", f"{number}.wav", ""), ("labels", f"{number}.csv", HEADER + rows)):
            path = root / f"{split}_{kind}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if metadata is not None:
        (root / "musicnet_metadata.csv").write_text(metadata)
    return open_dataset(root, "musicnet")


def test_labels_are_samples_at_44100_and_end_beat_is_no_end(tmp_path: Path) -> None:
    listing = musicnet(tmp_path, "train/1727")
    notes = listing.dataset.read_notes(listing.clips[0])
    assert notes.tolist() == [(1.0, 2.0, 60, -1, 43)]


def test_overlapping_notes_of_one_pitch_are_both_kept(tmp_path: Path) -> None:
    rows = "0,88200,41,60,0,2,Half\n44100,66150,41,60,1,0.5,Eighth\n44100,66150,42,59,1,0.5,Eighth\n"
    listing = musicnet(tmp_path, "train/1", rows=rows)
    notes = listing.dataset.read_notes(listing.clips[0])
    assert notes[["onset_s", "pitch"]].tolist() == [(0.0, 60), (1.0, 59), (1.0, 60)]


def test_demo_has_overlaps_and_several_instruments(demo_root: Path) -> None:
    listing = open_dataset(demo_root / "musicnet")
    notes = listing.dataset.read_notes(listing.clips[0])
    assert set(notes["instrument"].tolist()) == {41, 42, 43}
    same = [(a, b) for a in notes for b in notes if a["pitch"] == b["pitch"] and a["onset_s"] < b["onset_s"]]
    assert any(b["onset_s"] < a["offset_s"] for a, b in same)


@pytest.mark.parametrize("above", [".", "musicnet", "musicnet/musicnet"])
def test_nested_copies_with_metadata_at_the_top(tmp_path: Path, above: str) -> None:
    musicnet(tmp_path / above, "train/1727", "train/1728", "test/1759")
    (tmp_path / "musicnet_metadata.csv").write_text(
        "id,composer,composition,movement,ensemble,source,transcriber,catalog_name,seconds\n"
        '1727,Schubert,"Piano Quintet, in A",2. Andante,Piano Quintet,European Archive,x,OP114,447\n'
    )
    listing = open_dataset(tmp_path)
    assert (
        listing.reason == "2 csv labels in train_labels beside train_data, 1 csv labels in test_labels beside test_data"
    )
    assert [(clip.id, clip.labels["split"]) for clip in listing.clips] == [
        ("1727", "train"),
        ("1728", "train"),
        ("1759", "test"),
    ]
    assert listing.clips[0].labels["composition"] == "Piano Quintet, in A"
    assert listing.clips[1].labels["composition"] == ""


def test_one_split_alone_is_enough(tmp_path: Path) -> None:
    musicnet(tmp_path, "test/1759")
    assert open_dataset(tmp_path).reason == "1 csv labels in test_labels beside test_data"


def test_what_is_elsewhere_or_has_no_labels_is_skipped(tmp_path: Path) -> None:
    musicnet(tmp_path, "train/1727")
    (tmp_path / "train_data/1728.wav").touch()
    (tmp_path / "loose.wav").touch()
    (tmp_path / "train").mkdir()
    (tmp_path / "train/1.wav").touch()
    listing = open_dataset(tmp_path)
    assert {skip.path.name: skip.reason for skip in listing.skipped} == {
        "1728.wav": "its labels are not in train_labels",
        "loose.wav": "not in a folder train_data or test_data",
        "1.wav": "not in a folder train_data or test_data",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "no column 'start_time'"),
        (HEADER + "0,1.5,41,60,0,1,Half\n", "line 2 is no note"),
        (HEADER + "0,1,41,60,0,1,Half\n0,1\n", "line 3 is no note"),
        (HEADER + "0," + "9" * 400 + ",41,60,0,1,Half\n", "line 2 is no note"),
        (HEADER + "5,1,41,60,0,1,Half\n", "note 1 is"),
        (HEADER + "0,1,200,60,0,1,Half\n", "instrument 200"),
    ],
)
def test_broken_labels_are_an_error_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    listing = musicnet(tmp_path, "train/1727")
    (tmp_path / "train_labels/1727.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        listing.dataset.read_notes(listing.clips[0])


def test_labels_gone_since_are_an_error(tmp_path: Path) -> None:
    listing = musicnet(tmp_path, "train/1727")
    (tmp_path / "train_labels/1727.csv").unlink()
    with pytest.raises(DatasetError, match="No such file"):
        listing.dataset.read_notes(listing.clips[0])


def test_metadata_that_is_none(tmp_path: Path) -> None:
    for metadata in ("", "nothing\n1\n", "id,composer\n1727\n", "id,composer\n1727,Bach\n"):
        listing = musicnet(tmp_path, "train/1727", metadata=metadata)
        assert listing.clips[0].labels["composer"] == ("Bach" if "Bach" in metadata else "")
