"""Recognition needs a share of the files, and knows them whatever format they are stored in."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small_corpora import esc50, gtzan, maestro, silence, speech_commands

from specconv.datasets import open_dataset

LOOKALIKES = {
    "gtzan": "jazz/jazz.00000.wav",
    "piano-triads": "triads/piano_2_Cn_j_f_00.wav",
    "maps": "maps/MAPS_MUS-x_AkPnBcht.wav",
    "esc-50": "audio/1-100032-A-0.wav",
    "speech-commands": "yes/0a7c2a8d_nohash_0.wav",
    "musicnet": "train_data/1.wav",
    "maestro": "2018/a.wav",
}


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.mark.parametrize("corpus", LOOKALIKES)
def test_one_lookalike_among_thirty_other_clips_makes_no_corpus(tmp_path: Path, corpus: str) -> None:
    if corpus == "maestro":
        maestro(tmp_path)
        (tmp_path / "2004/b.wav").unlink()
    touch(tmp_path, LOOKALIKES[corpus], "maps/MAPS_MUS-x_AkPnBcht.txt", "train_labels/1.csv")
    touch(tmp_path, *(f"mine/{n}.wav" for n in range(30)))
    listing = open_dataset(tmp_path)
    assert (listing.dataset.name, len(listing.clips)) == ("folder", 31)
    assert f"too few of 31 audio files for {corpus}" in listing.reason


def test_one_other_clip_does_not_hide_a_corpus(tmp_path: Path) -> None:
    touch(tmp_path, *(f"piano_2_Cn_j_f_{n:02}.wav" for n in range(30)), "jazz.00000.wav")
    listing = open_dataset(tmp_path)
    assert (listing.dataset.name, len(listing.clips)) == ("piano-triads", 30)
    assert [skip.path.name for skip in listing.skipped] == ["jazz.00000.wav"]


def stored_as(root: Path, extension: str) -> Path:
    for path in [*root.rglob("*.wav"), *root.rglob("*.au")]:
        path.rename(path.with_suffix(extension))
    return root


@pytest.mark.parametrize("extension", [".flac", ".FLAC", ".ogg", ".Mp3"])
@pytest.mark.parametrize("make", [maestro, gtzan, esc50, speech_commands])
def test_a_corpus_stored_in_another_format_is_the_same(
    tmp_path: Path, make: Callable[[Path], Path], extension: str
) -> None:
    before = open_dataset(make(tmp_path))
    after = open_dataset(stored_as(tmp_path, extension))
    assert after.dataset.name == before.dataset.name != "folder"
    assert [clip.labels for clip in after.clips] == [clip.labels for clip in before.clips]
    assert [clip.notes_path for clip in after.clips] == [clip.notes_path for clip in before.clips]


@pytest.mark.parametrize("corpus", ["maps", "musicnet", "piano_triads"])
def test_a_demo_stored_as_flac_is_the_same(demo_root: Path, tmp_path: Path, corpus: str) -> None:
    shutil.copytree(demo_root / corpus, tmp_path / corpus)
    before = open_dataset(demo_root / corpus)
    after = open_dataset(stored_as(tmp_path / corpus, ".flac"))
    assert after.dataset.name == before.dataset.name
    assert [(clip.id, clip.labels) for clip in after.clips] == [(clip.id, clip.labels) for clip in before.clips]


def test_split_lists_may_be_written_on_windows(tmp_path: Path) -> None:
    stored_as(speech_commands(tmp_path), ".flac")
    (tmp_path / "validation_list.txt").write_bytes(b"\xef\xbb\xbfyes\\0a7c2a8d_nohash_1.wav\r\n")
    splits = [clip.labels["split"] for clip in open_dataset(tmp_path).clips]
    assert splits == ["test", "train", "validation"]


def test_maestro_table_may_be_written_on_windows_and_midi_named_mid(tmp_path: Path) -> None:
    table = maestro(tmp_path) / "maestro-v3.0.0.csv"
    table.write_text(table.read_text().replace("2018/", "2018\\"))
    (tmp_path / "2004/b.midi").rename(tmp_path / "2004/b.MID")
    assert [clip.notes_path.name for clip in open_dataset(tmp_path).clips if clip.notes_path] == ["a.midi", "b.MID"]


@pytest.mark.parametrize("corpus", ["maps", "musicnet", "piano_triads", maestro, gtzan, esc50, speech_commands])
def test_twins_in_two_formats_are_one_clip(
    demo_root: Path, tmp_path: Path, corpus: str | Callable[[Path], Path]
) -> None:
    root = tmp_path / "corpus"
    if isinstance(corpus, str):
        shutil.copytree(demo_root / corpus, root)
    else:
        corpus(root)
    before = open_dataset(root)
    for clip in before.clips:
        shutil.copy(clip.path, clip.path.with_suffix(".flac"))
        shutil.copy(clip.path, clip.path.with_suffix(".OGG"))
    after = open_dataset(root)
    assert [clip.id.rpartition("/")[2].removesuffix(".flac") for clip in after.clips] == [
        clip.id.rpartition("/")[2].removesuffix(".flac") for clip in before.clips
    ]
    kept = {clip.path.suffix for clip in after.clips}
    assert kept == ({".wav", ".flac"} if corpus is gtzan else {".wav"})  # where there is no WAV, FLAC
    copies = [skip for skip in after.skipped if skip.reason == "the same recording in another format is taken"]
    assert len(copies) == 2 * len(before.clips)


def test_every_file_of_a_plain_folder_is_a_clip(tmp_path: Path) -> None:
    for name in ("a.wav", "a.flac"):
        silence(tmp_path / name)
    assert [clip.id for clip in open_dataset(tmp_path).clips] == ["a.flac", "a.wav"]
