"""Standard MIDI Files: what is written is read, what others write too, and garbage is an error."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specconv.datasets import NOTE_DTYPE
from specconv.datasets.midi import read_midi, write_midi
from specconv.errors import DatasetError


def file(*tracks: bytes, division: int = 480, layout: int = 1) -> bytes:
    head = struct.pack(">4sIHHH", b"MThd", 6, layout, len(tracks), division)
    return head + b"".join(struct.pack(">4sI", b"MTrk", len(track)) + track for track in tracks)


def read(tmp_path: Path, content: bytes) -> list[tuple[float, float, int, int, int]]:
    path = tmp_path / "a.mid"
    path.write_bytes(content)
    return read_midi(path).tolist()


def test_what_is_written_is_read_to_the_sample(tmp_path: Path) -> None:
    notes = np.array(
        [
            (0.0, 0.5, 60, 64, 1),
            (0.25, 3.0, 64, 1, 1),
            (0.5, 0.75, 60, 127, 1),
            (1000 / 44100, 700, 21, 9, 1),
        ],
        NOTE_DTYPE,
    )
    notes.sort(order="onset_s")
    write_midi(tmp_path / "a.mid", notes, 44_100, pedal=[(0.0, 3.0)])
    back = read_midi(tmp_path / "a.mid")
    for field in ("pitch", "velocity", "instrument"):
        assert back[field].tolist() == notes[field].tolist()
    for field in ("onset_s", "offset_s"):
        np.testing.assert_allclose(back[field], notes[field], atol=0.5 / 44_100)


def test_tempo_track_running_status_and_velocity_zero(tmp_path: Path) -> None:
    tempo = b"\x00\xff\x51\x03\x07\xa1\x20" + b"\x83\x60\xff\x51\x03\x03\xd0\x90"  # 0.5 s, after a quarter 0.25 s
    # on at 0; off with velocity 0 after two quarters, running status across a lyric
    notes = b"\x00\xc0\x28\x00\x90\x3c\x40" + b"\x00\xff\x05\x02la" + b"\x87\x40\x3c\x00" + b"\x00\xff\x2f\x00"
    assert read(tmp_path, file(tempo, notes)) == [(0.0, 0.75, 60, 64, 41)]


def test_a_key_never_released_ends_with_the_file(tmp_path: Path) -> None:
    track = b"\x00\x90\x3c\x40\x83\x60\x90\x3e\x41\x83\x60\x80\x3e\x00"
    assert read(tmp_path, file(track, layout=0)) == [(0.0, 1.0, 60, 64, 1), (0.5, 1.0, 62, 65, 1)]


def test_a_key_struck_twice_ends_in_the_order_it_began(tmp_path: Path) -> None:
    track = b"\x00\x90\x3c\x40\x83\x60\x3c\x41\x83\x60\x3c\x00\x83\x60\x3c\x00"
    assert read(tmp_path, file(track)) == [(0.0, 1.0, 60, 64, 1), (0.5, 1.5, 60, 65, 1)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MThd",
        b"RIFF" + bytes(100),
        file(b"\x00\x90\x3c\x40", division=0),
        file(b"\x00\x90\x3c\x40", division=0xE728),
        file(b"\x00\x90\x3c\x40", layout=2),
        file(b"\x00\x3c\x40"),
        file(b"\x00\x90\x3c"),
        file(b"\xff\xff\xff\xff\xff\x90\x3c\x40"),
        file(b"\x00\x90\xf0\x40"),
        file(b"\x00\x90\x3c\x40") + bytes(1 << 21),  # nothing is wrong with it but its size
    ],
)
def test_garbage_is_an_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DatasetError, match=r"a\.mid"):
        read(tmp_path, content)


@given(st.binary(max_size=200), st.integers(0, 3))
def test_no_bytes_get_past_the_reader(tmp_path_factory: pytest.TempPathFactory, junk: bytes, kind: int) -> None:
    path = tmp_path_factory.mktemp("junk", numbered=True) / "a.mid"
    path.write_bytes(junk if kind == 0 else file(junk))
    try:
        notes = read_midi(path)
    except DatasetError:
        return
    assert (notes["offset_s"] >= notes["onset_s"]).all()
