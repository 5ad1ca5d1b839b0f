"""Which dataset a folder holds, and what is said when it holds none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from specconv.datasets import ClipRef, Listing, Skipped, open_dataset
from specconv.datasets.folder import FolderDataset
from specconv.errors import DatasetError


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_auto_takes_any_audio_where_no_corpus_is(tmp_path: Path) -> None:
    touch(tmp_path, "dog/1.wav", "cat/1.FLAC", "cat/notes.txt", "top.ogg")
    listing = open_dataset(tmp_path)
    assert listing.dataset.name == "folder"
    assert listing.reason == "no known corpus: any audio, the parent folder as its class"
    assert [(clip.id, clip.labels["label"]) for clip in listing.clips] == [
        ("cat/1.FLAC", "cat"),
        ("dog/1.wav", "dog"),
        ("top.ogg", tmp_path.name),
    ]
    assert listing.skipped == ()


def test_a_link_as_root_is_followed_and_kept_as_given(tmp_path: Path) -> None:
    touch(tmp_path, "real/a.wav")
    (tmp_path / "link").symlink_to("real")
    clip = open_dataset(tmp_path / "link").clips[0]
    assert clip.path == tmp_path / "link" / "a.wav"


def test_two_corpora_in_one_folder_are_a_question(demo_root: Path) -> None:
    with pytest.raises(DatasetError, match="more than one dataset") as caught:
        open_dataset(demo_root)
    for part in ("maps: 28 names", "musicnet: 2 csv labels", "piano-triads: 96 names", "'folder'"):
        assert part in str(caught.value)
    assert len(open_dataset(demo_root, "folder").clips) == 96 + 28 + 3


def test_a_few_lookalikes_among_other_audio_make_no_corpus(tmp_path: Path) -> None:
    touch(tmp_path, "piano_2_Cn_j_f_00.wav", "a.wav", "b.wav")
    assert open_dataset(tmp_path).dataset.name == "folder"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "piano_triads",
            "unknown dataset 'piano_triads'; did you mean piano-triads? choose from auto, folder, maps",
        ),
        ("xyz", "unknown dataset 'xyz'; choose from auto, folder"),
        ("maps", "no clips found (maps); 1 skipped, the first: {root}/a.wav: not named MAPS_"),
    ],
)
def test_wrong_requests_say_what_is_there(tmp_path: Path, name: str, message: str) -> None:
    touch(tmp_path, "a.wav")
    with pytest.raises(DatasetError) as caught:
        open_dataset(tmp_path, name)
    assert message.format(root=tmp_path) in str(caught.value)


def test_no_folder_and_no_audio(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        open_dataset(tmp_path / "gone")
    touch(tmp_path, "a.wav", "empty/readme.txt")
    with pytest.raises(DatasetError, match="a file, not a folder"):
        open_dataset(tmp_path / "a.wav")
    with pytest.raises(DatasetError, match=r"no clips found \(folder\)$"):
        open_dataset(tmp_path / "empty")


def test_same_names_take_their_paths_and_others_keep_their_names(tmp_path: Path) -> None:
    triad = "piano_2_Cn_j_f_00.wav"
    touch(tmp_path, f"audio/{triad}", f"audio_augmented_x10/{triad}", "audio/piano_2_Cn_n_f_00.wav")
    ids = [clip.id for clip in open_dataset(tmp_path, "piano-triads").clips]
    assert ids == [f"audio/{triad}", f"audio_augmented_x10/{triad}", "piano_2_Cn_n_f_00"]


class ByStem(FolderDataset):
    """A corpus whose own names may be anything."""

    def find(self, root: Path) -> tuple[list[ClipRef], list[Skipped]]:
        clips, skipped = super().find(root)
        return [replace(clip, id=clip.path.stem) for clip in clips], skipped


def test_a_name_that_is_anothers_path_is_told_apart(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b/a.wav", "c/a.wav.flac", "d.wav")
    clips = Listing.of(ByStem(), tmp_path, "").clips
    assert [clip.id for clip in clips] == ["a.wav", "b/a.wav", "c/a.wav.flac", "d.wav"]
