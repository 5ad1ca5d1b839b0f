"""Piano triads: names of the final and of older copies."""

from __future__ import annotations

from pathlib import Path

import pytest

from specconv.datasets import open_dataset


def labels(root: Path, stem: str) -> dict[str, object]:
    (root / f"{stem}.wav").touch()
    return dict(open_dataset(root, "piano-triads").clips[0].labels)


@pytest.mark.parametrize(("letter", "chord"), [("j", "major"), ("n", "minor"), ("d", "diminished"), ("a", "augmented")])
def test_types(tmp_path: Path, letter: str, chord: str) -> None:
    assert labels(tmp_path, f"piano_3_Af_{letter}_m_45") == {
        "root": "Af",
        "chord": chord,
        "octave": 3,
        "dynamic": "m",
        "take": 45,
        "group": f"3-Af-{chord}-m",
    }


@pytest.mark.parametrize(
    ("stem", "root", "chord", "dynamic"),
    [
        ("piano_3_As_M_m_45", "Bf", "major", "m"),
        ("piano_3_As_m_m_45", "Bf", "minor", "m"),
        ("piano_2_Cs_m_mf_00", "Df", "minor", "m"),
        ("piano_4_Gn_d_p_99", "Gn", "diminished", "p"),
    ],
)
def test_older_copies(tmp_path: Path, stem: str, root: str, chord: str, dynamic: str) -> None:
    found = labels(tmp_path, stem)
    assert (found["root"], found["chord"], found["dynamic"]) == (root, chord, dynamic)


@pytest.mark.parametrize(
    "stem",
    [
        "piano_5_Cn_j_f_00",
        "piano_2_Hn_j_f_00",
        "piano_2_Cn_x_f_00",
        "piano_2_Cn_j_f",
        "piano_2_Es_j_f_00",
        "xpiano_2_Cn_j_f_00",
    ],
)
def test_other_names_are_skipped(tmp_path: Path, stem: str) -> None:
    (tmp_path / f"{stem}.wav").touch()
    (tmp_path / "piano_2_Cn_j_f_00.wav").touch()
    listing = open_dataset(tmp_path, "piano-triads")
    assert len(listing.clips) == 1
    assert [skip.path.stem for skip in listing.skipped] == [stem]
    assert "not named piano_" in listing.skipped[0].reason


def test_a_zip_that_nests_itself_twice(tmp_path: Path) -> None:
    folder = tmp_path / "audio_augmented_x10/audio_augmented_x10"
    folder.mkdir(parents=True)
    (folder / "piano_2_Cn_j_f_00.WAV").touch()
    listing = open_dataset(tmp_path)
    assert listing.clips[0].id == "piano_2_Cn_j_f_00"
    assert listing.reason == "1 names such as piano_2_Cn_j_f_00.WAV in audio_augmented_x10/audio_augmented_x10"


def test_older_names_on_a_disk_that_ignores_case_are_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stem in ("piano_2_Cn_M_f_00", "piano_2_Cn_j_f_00"):
        (tmp_path / f"{stem}.wav").touch()
    assert len(open_dataset(tmp_path, "piano-triads").clips) == 2
    # what such a disk would answer to samefile
    monkeypatch.setattr(Path, "samefile", lambda one, other: str(one).lower() == str(other).lower())
    listing = open_dataset(tmp_path, "piano-triads")
    assert [clip.id for clip in listing.clips] == ["piano_2_Cn_j_f_00"]
    assert "ignores case" in listing.skipped[0].reason


def test_groups_hold_all_takes_of_a_chord(demo_root: Path) -> None:
    clips = open_dataset(demo_root / "piano_triads").clips
    assert {(clip.labels["root"], clip.labels["chord"]) for clip in clips} == {
        (root, chord)
        for root in ["Cn", "Df", "Dn", "Ef", "En", "Fn", "Gf", "Gn", "Af", "An", "Bf", "Bn"]
        for chord in ("major", "minor", "diminished", "augmented")
    }
    assert {len({clip.labels["group"] for clip in clips}), len(clips)} == {48, 96}
    for field in ("octave", "dynamic"):
        assert len({clip.labels[field] for clip in clips}) == 3
