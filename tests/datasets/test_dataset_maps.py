"""MAPS: names, nesting, the split, notes and velocities."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from specconv.datasets import NOTE_DTYPE, Listing, open_dataset
from specconv.datasets.midi import write_midi
from specconv.errors import DatasetError


def maps(root: Path, *stems: str, audio: str = ".wav", text: str = ".txt") -> Listing:
    for stem in stems:
        path = root / stem
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(path.name + audio).touch()
        if text:
            path.with_name(path.name + text).write_text("OnsetTime\tOffsetTime\tMidiPitch\n0.5\t1.25\t60\n")
    return open_dataset(root, "maps")


@pytest.mark.parametrize(
    ("stem", "labels"),
    [
        ("MAPS_MUS-alb_se3_AkPnBcht", {"set": "MUS", "piece": "alb_se3", "piano": "AkPnBcht"}),
        ("MAPS_MUS-chpn-p7_SptkBGCl", {"piece": "chpn-p7", "piano": "SptkBGCl"}),
        ("MAPS_MUS-a_ENSTDkAm_b_AkPnBsdf", {"piece": "a_ENSTDkAm_b", "piano": "AkPnBsdf", "split": "train"}),
        ("MAPS_MUS-x_AkPnCGdD2", {"piano": "AkPnCGdD"}),
        ("MAPS_MUS-x_StbgTGd2", {"piano": "StbgTGd2"}),
        ("MAPS_MUS-x_SptKBGCl", {"piano": "SptkBGCl"}),
        ("MAPS_MUS-x_ENSTDkCl", {"piano": "ENSTDkCl", "split": "test"}),
        (
            "MAPS_ISOL_NO_F_S1_M103_AkPnBcht",
            {
                "set": "ISOL",
                "style": "NO",
                "loudness": "F",
                "pedal": 1,
                "pitch": 103,
                "piece": "",
                "chord": "",
            },
        ),
        ("MAPS_ISOL_CH0.1_M_AkPnBcht", {"style": "CH0.1", "loudness": "M", "pedal": -1, "pitch": -1}),
        ("MAPS_ISOL_CH0.05_P_AkPnBcht", {"style": "CH0.05", "loudness": "P"}),
        ("MAPS_ISOL_TR1_F_AkPnBcht", {"style": "TR1", "loudness": "F", "pedal": -1, "pitch": -1}),
        ("MAPS_ISOL_TR1_F_S0_M35_AkPnBcht", {"style": "TR1", "loudness": "F", "pedal": 0, "pitch": 35}),
        (
            "MAPS_RAND_P2_M21-108_I32-96_S1_n34_StbgTGd2",
            {"set": "RAND", "pedal": 1, "pitch": -1, "chord": ""},
        ),
        ("MAPS_UCHO_C0-5-9_I32-96_S0_n13_AkPnStgb", {"set": "UCHO", "chord": "0-5-9", "pedal": 0}),
    ],
)
def test_names(tmp_path: Path, stem: str, labels: dict[str, object]) -> None:
    clip = maps(tmp_path, stem).clips[0]
    assert clip.id == stem
    assert {key: clip.labels[key] for key in labels} == labels


@pytest.mark.parametrize(
    "stem",
    [
        "MAPS_MUS-alb_se3_Steinway",
        "MAPS_MUS-alb_se3_AkPnBcht_16k",
        "MAPS_XYZ-a_AkPnBcht",
        "take 1",
        "MAPS_ISOL_AkPnBcht",
    ],
)
def test_other_names_are_skipped(tmp_path: Path, stem: str) -> None:
    listing = maps(tmp_path, "MAPS_MUS-a_AkPnBcht", stem)
    assert [(skip.path.name, skip.reason) for skip in listing.skipped] == [
        (f"{stem}.wav", "not named MAPS_<set>..._<piano>, one of the nine")
    ]


def test_nested_zips_and_any_case_of_extension(tmp_path: Path) -> None:
    stem = "MAPS_AkPnBcht_2/AkPnBcht/MUS/MAPS_MUS-alb_se3_AkPnBcht"
    listing = maps(tmp_path, stem, audio=".WAV", text=".TXT")
    assert listing.clips[0].id == "MAPS_MUS-alb_se3_AkPnBcht"
    assert listing.dataset.read_notes(listing.clips[0])["pitch"].tolist() == [60]
    found = open_dataset(tmp_path)
    assert found.reason == "1 names such as MAPS_MUS-alb_se3_AkPnBcht.WAV in MAPS_AkPnBcht_2/AkPnBcht/MUS"


def test_split_drops_what_is_tested_and_says_so(tmp_path: Path) -> None:
    listing = maps(
        tmp_path,
        "MAPS_MUS-both_AkPnBcht",
        "MAPS_MUS-train_AkPnBcht",
        "MAPS_MUS-both_ENSTDkCl",
        "MAPS_ISOL_NO_F_S0_M60_AkPnBcht",
        "MAPS_ISOL_NO_F_S0_M60_ENSTDkAm",
    )
    assert {clip.id[5:]: clip.labels["split"] for clip in listing.clips} == {
        "MUS-both_AkPnBcht": "dropped",
        "MUS-both_ENSTDkCl": "test",
        "MUS-train_AkPnBcht": "train",
        "ISOL_NO_F_S0_M60_AkPnBcht": "train",
        "ISOL_NO_F_S0_M60_ENSTDkAm": "test",
    }


def test_demo_has_every_split_and_set(demo_root: Path) -> None:
    clips = open_dataset(demo_root / "maps").clips
    assert Counter(clip.labels["split"] for clip in clips if clip.labels["set"] == "MUS") == {
        "train": 2,
        "dropped": 2,
        "test": 2,
    }
    assert {clip.labels["set"] for clip in clips} == {"MUS", "ISOL", "RAND", "UCHO"}


def test_clip_without_notes_is_skipped_and_named(tmp_path: Path) -> None:
    maps(tmp_path, "MAPS_MUS-a_AkPnBcht")
    listing = maps(tmp_path, "MAPS_MUS-b_AkPnBcht", text="")
    assert len(listing.clips) == 1
    assert "a .txt of the same name" in listing.skipped[0].reason


def test_velocities_come_from_the_midi_and_are_unknown_without(demo_root: Path, tmp_path: Path) -> None:
    listing = open_dataset(demo_root / "maps")
    piece = next(clip for clip in listing.clips if clip.labels["piece"] == "demo_waltz")
    notes = listing.dataset.read_notes(piece)
    assert notes["velocity"].min() >= 20
    assert len(set(notes["velocity"].tolist())) > 5
    copy = maps(tmp_path, piece.id).clips[0]
    assert piece.notes_path is not None
    assert copy.notes_path is not None
    copy.notes_path.write_bytes(piece.notes_path.read_bytes())
    for middle in (None, b"no midi at all", b""):
        if middle is not None:
            copy.notes_path.with_suffix(".mid").write_bytes(middle)
        alone = listing.dataset.read_notes(copy)
        assert set(alone["velocity"].tolist()) == {-1}
        assert alone["onset_s"].tolist() == notes["onset_s"].tolist()


def test_velocity_is_that_of_the_same_pitch_and_the_nearest_onset(tmp_path: Path) -> None:
    listing = maps(tmp_path, "MAPS_MUS-a_AkPnBcht")
    path = listing.clips[0].notes_path
    assert path is not None
    path.write_text("1.000\t1.5\t60\n1.010\t2\t62\n1.012\t2.5\t60\n3\t4\t60\n")
    played = [(1.001, 1.5, 60, 11, 1), (1.01, 2, 62, 22, 1), (1.011, 2.5, 60, 33, 1), (3.1, 4, 60, 44, 1)]
    write_midi(path.with_suffix(".mid"), np.array(played, NOTE_DTYPE), 44_100)
    notes = listing.dataset.read_notes(listing.clips[0])
    assert notes["velocity"].tolist() == [11, 22, 33, -1]  # the last is 0.1 s off


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "OnsetTime\tOffsetTime\tMidiPitch\n0.5\tx\t60\n",
            r"'0.5\\tx\\t60\\n' is not onset, offset, MIDI pitch",
        ),
        ("0.5\t60\n", "is not onset, offset, MIDI pitch"),
        ("1\t0.5\t60\n", "note 1 is 1.0 to 0.5 s"),
        ("1\tnan\t60\n", "note 1 is 1.0 to nan s"),
        ("0\tinf\t60\n", "note 1 is 0.0 to inf s"),
        ("0\t1\t128\n", "pitch 128"),
        ("-1\t1\t60\n", "note 1 is -1.0"),
    ],
)
def test_broken_notes_are_an_error_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    listing = maps(tmp_path, "MAPS_MUS-a_AkPnBcht")
    path = listing.clips[0].notes_path
    assert path is not None
    path.write_text(text)
    with pytest.raises(DatasetError, match=message):
        listing.dataset.read_notes(listing.clips[0])


def test_notes_of_other_systems(tmp_path: Path) -> None:
    listing = maps(tmp_path, "MAPS_MUS-a_AkPnBcht")
    path = listing.clips[0].notes_path
    assert path is not None
    path.write_bytes(b"\xef\xbb\xbfOnsetTime\tOffsetTime\tMidiPitch\r\n2\t3\t61\r\n1\t1\t60\r\n\r\n")
    assert listing.dataset.read_notes(listing.clips[0])["pitch"].tolist() == [60, 61]
