"""MAESTRO, GTZAN, ESC-50 and Speech Commands: labels, splits and what is left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_corpora import MAESTRO_CSV, esc50, gtzan, maestro, silence, speech_commands

from specconv.datasets import open_dataset
from specconv.errors import DatasetError


def test_maestro(tmp_path: Path) -> None:
    maestro(tmp_path / "maestro-v3.0.0")
    silence(tmp_path / "extra.wav")
    listing = open_dataset(tmp_path)
    assert listing.reason == "2 performances in maestro-v3.0.0.csv"
    a, b = listing.clips
    assert (a.id, a.labels) == (
        "a",
        {"composer": "Alban Berg", "title": "Sonata Op. 1, I", "split": "train", "year": 2018},
    )
    assert b.labels["split"] == "validation"
    notes = listing.dataset.read_notes(a)
    assert notes[["pitch", "velocity"]].tolist() == [(60, 64), (64, 70)]
    assert notes["offset_s"] == pytest.approx([0.5, 0.9], abs=1e-4)
    assert [(skip.path.name, skip.reason) for skip in listing.skipped] == [
        ("extra.wav", "not in the csv of the corpus")
    ]


def test_maestro_with_files_gone(tmp_path: Path) -> None:
    maestro(tmp_path)
    (tmp_path / "2018/a.midi").unlink()
    (tmp_path / "maestro-v3.0.0.csv").write_text(MAESTRO_CSV + "x,y,test,2000,c.midi,c.wav,1\n,,\n")
    listing = open_dataset(tmp_path)
    assert {skip.path.name: skip.reason for skip in listing.skipped} == {
        "a.wav": "its MIDI file is not where the csv says",
        "c.wav": "in the csv of the corpus, but not there",
    }


def test_maestro_csv_names_nothing_outside(tmp_path: Path) -> None:
    maestro(tmp_path / "root")
    (tmp_path / "secret").touch()
    table = tmp_path / "root/maestro-v3.0.0.csv"
    table.write_text(MAESTRO_CSV.replace("2018/a.midi", "../secret").replace("2004/b.midi", f"{tmp_path}/secret"))
    with pytest.raises(DatasetError, match="MIDI file is not where"):
        open_dataset(tmp_path / "root")
    table.write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match="no column audio_filename, canonical_composer"):
        open_dataset(tmp_path / "root")


def test_gtzan(tmp_path: Path) -> None:
    gtzan(tmp_path)
    silence(tmp_path / "genres/polka/polka.00000.wav")
    listing = open_dataset(tmp_path)
    assert listing.dataset.name == "gtzan"
    assert {clip.id: clip.labels["genre"] for clip in listing.clips} == {
        "jazz.00000": "jazz",
        "jazz.00054": "jazz",
        "rock.00099": "rock",
    }
    assert len(listing.skipped) == 1


def test_esc50(tmp_path: Path) -> None:
    listing = open_dataset(esc50(tmp_path))
    assert listing.dataset.name == "esc-50"
    assert [dict(clip.labels) for clip in listing.clips] == [
        {"category": "dog", "target": 0, "fold": 1, "source": 100032, "take": "A"},
        {"category": "", "target": 49, "fold": 5, "source": 9032, "take": "B"},
    ]
    (tmp_path / "meta/esc50.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match="no table of target and category"):
        open_dataset(tmp_path)


def test_speech_commands(tmp_path: Path) -> None:
    listing = open_dataset(speech_commands(tmp_path))
    assert listing.dataset.name == "speech-commands"
    assert [(clip.id, clip.labels["word"], clip.labels["split"]) for clip in listing.clips] == [
        ("no/0a7c2a8d_nohash_0.wav", "no", "test"),
        ("yes/0a7c2a8d_nohash_0.wav", "yes", "train"),
        ("yes/0a7c2a8d_nohash_1.wav", "yes", "validation"),
    ]
    assert [skip.path.name for skip in listing.skipped] == ["pink_noise.wav"]
