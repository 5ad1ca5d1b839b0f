from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from specconv.audio import decode
from specconv.audio.mpeg import FrameCount, count_frames
from specconv.errors import AudioError


def counted(path: Path, start: int = 0) -> FrameCount | None:
    fd = os.open(path, os.O_RDONLY)
    try:
        return count_frames(fd, start, path.stat().st_size)
    finally:
        os.close(fd)


def varying(path: Path, n: int = 64_000) -> Path:
    """An MP3 of varying bit rate: quiet, then loud."""
    samples = np.random.default_rng(2).normal(0, 0.2, n)
    samples[: n // 2] *= 1e-4
    soundfile.write(path, samples, 16000, bitrate_mode="VARIABLE", compression_level=0.5)
    return path


def without_header(path: Path) -> Path:
    """Without its first frame, which holds no sound but the number of frames."""
    content = path.read_bytes()
    path.write_bytes(content[content.index(content[:2], 4) :])
    return path


@pytest.mark.parametrize("sample_rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE", "AVERAGE"])
def test_the_frames_hold_the_sound(tmp_path: Path, sample_rate: int, mode: str) -> None:
    path, n = tmp_path / "a.mp3", 3 * sample_rate
    samples = np.random.default_rng(2).normal(0, 0.2, (n, 2))
    soundfile.write(path, samples, sample_rate, bitrate_mode=mode, compression_level=0.5)
    count = counted(path)
    assert count is not None
    assert not count.cut
    assert count.promised == count.frames
    assert n <= count.frames * count.samples_per_frame <= n + 4 * 1152
    assert decode(path).waveform.shape == (2, n)


def test_a_small_window_counts_the_same(tmp_path: Path, monkeypatch) -> None:
    path = varying(tmp_path / "a.mp3")
    whole = counted(path)
    monkeypatch.setattr("specconv.audio.mpeg._WINDOW", 301)
    assert counted(path) == whole


@pytest.mark.parametrize("missing", [1, 200, 2000])
def test_a_cut_mp3_with_a_header(tmp_path: Path, cut, missing: int) -> None:
    path = varying(tmp_path / "a.mp3")
    count = counted(path)
    with pytest.raises(AudioError, match=rf"promises {count.promised} MPEG frames, \d+ are there"):
        decode(cut(path, missing))


@pytest.mark.parametrize(("more", "refused"), [(1, False), (2, True), (-1, False), (-2, True)])
def test_a_header_that_counts_itself(tmp_path: Path, more: int, refused: bool) -> None:
    path = varying(tmp_path / "a.mp3")
    promised = counted(path).promised + more
    content = bytearray(path.read_bytes())
    at = max(content.find(b"Xing"), content.find(b"Info")) + 8
    content[at : at + 4] = promised.to_bytes(4, "big")
    path.write_bytes(content)
    if refused:
        with pytest.raises(AudioError, match=f"promises {promised} MPEG frames"):
            decode(path)
    else:
        assert decode(path).waveform.shape[1] >= 64_000 - 1152


def test_a_cut_mp3_without_a_header(tmp_path: Path, cut) -> None:
    path = tmp_path / "a.mp3"
    samples = np.random.default_rng(0).normal(0, 0.1, 64_000)
    soundfile.write(path, samples, 16000, bitrate_mode="CONSTANT", compression_level=0.5)
    path = without_header(path)
    assert decode(path).waveform.shape[1] >= 64_000
    with pytest.raises(AudioError, match="it ends within MPEG frame"):
        decode(cut(path, 100))


def test_an_mp3_whose_length_is_guessed_too_short(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    samples = np.random.default_rng(2).normal(0, 0.2, 160_000)
    samples[80_000:] *= 1e-4  # the loud first frame makes the rest seem short
    soundfile.write(path, samples, 16000, bitrate_mode="VARIABLE", compression_level=0.5)
    path = without_header(path)
    with soundfile.SoundFile(path) as file:
        assert file.frames < 120_000  # libsndfile would stop there
    with pytest.raises(AudioError, match=r"lets \d+ samples be expected, \d+ or more are there"):
        decode(path)


def test_rubbish_between_frames_is_skipped(tmp_path: Path) -> None:
    path = without_header(varying(tmp_path / "a.mp3"))
    count = counted(path)
    content = path.read_bytes()
    half = content.index(content[:2], len(content) // 2)
    path.write_bytes(content[:half] + b"\xffrubbish\xff\xfb" * 50 + content[half:])
    again = counted(path)
    assert again is not None
    assert count.frames - 2 <= again.frames <= count.frames


def test_no_frames_are_no_count(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\xfb\x00\x00" + bytes(100))  # free format
    assert counted(tmp_path / "a") is None
