from __future__ import annotations

import os
import socket
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile

from specconv.audio import AudioFormat, decode, load, probe, stream
from specconv.errors import AudioError


def reason(path: Path | str, stage: str) -> str:
    """Why this path is refused: by every way in for the same reason, at this stage."""
    reasons = set()
    for use in (
        decode,
        lambda path: load(path, AudioFormat(8000)),
        lambda path: list(stream(path, AudioFormat(), 100)),
    ):
        with pytest.raises(AudioError) as raised:
            use(path)
        assert raised.value.path == os.fspath(path)
        assert raised.value.stage == stage
        reasons.add(raised.value.reason)
    assert len(reasons) == 1
    return reasons.pop()


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    assert reason(tmp_path / "a.wav", "open").startswith("it is empty (0 bytes)")


@pytest.mark.parametrize("content", [b"My notes of today, in words.\n" * 99, b"R", bytes(5000), b"RIFF\x24\0\0\0WAVE"])
def test_what_is_no_audio(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    assert "libsndfile finds no audio in it" in reason(tmp_path / "a.wav", "open")


def test_no_samples(write) -> None:
    assert reason(write(samples=np.zeros((0, 2))), "decode").startswith("it holds no samples, 1 is the least")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e13, -2e12])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_a_sample_that_is_no_sound(write, value: float, subtype: str) -> None:
    samples = np.zeros((3000, 2))
    samples[1234, 1] = samples[2000, 0] = value
    assert reason(write(samples=samples, subtype=subtype), "decode").startswith(
        f"sample 1234 of channel 1 is {np.float32(value)}; samples are numbers of a size up to 1.1e+12"
    )


def test_a_bad_sample_is_counted_from_the_start(write, monkeypatch) -> None:
    monkeypatch.setattr("specconv.audio.source._BLOCK_SAMPLES", 1000)
    samples = np.zeros((3000, 2))
    samples[1234, 1] = np.nan
    with pytest.raises(AudioError, match="sample 1234 of channel 1 is nan"):
        decode(write(samples=samples, subtype="FLOAT"))


@pytest.mark.parametrize("value", [2.0**31, -(2.0**40)])
def test_floats_of_any_sensible_size(write, value: float) -> None:
    assert decode(write(samples=np.full(9, value), subtype="FLOAT")).waveform[0, 0] == value


def test_a_double_beyond_float32(write) -> None:
    assert "is inf" in reason(write(samples=np.full(9, 1e300), subtype="DOUBLE"), "decode")


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "x.wav").mkdir()
    assert reason(tmp_path / "x.wav", "open").startswith("it is a directory, and only regular files are read")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no fifos here")
def test_a_fifo_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.wav")  # opening it would block until someone writes
    (tmp_path / "link.wav").symlink_to(tmp_path / "x.wav")
    assert reason(tmp_path / "x.wav", "open").startswith("it is a fifo")
    assert reason(tmp_path / "link.wav", "open").startswith("it is a fifo")


def test_a_fifo_put_in_place_of_a_file_is_not_read(tmp_path: Path, write, monkeypatch) -> None:
    regular = write()
    os.mkfifo(tmp_path / "x.wav")
    checked = os.stat
    monkeypatch.setattr("specconv.audio.source.os.stat", lambda _: checked(regular))
    assert reason(tmp_path / "x.wav", "open").startswith("it is a fifo")


def test_a_device_and_a_socket(tmp_path: Path, monkeypatch) -> None:
    assert reason("/dev/zero", "open").startswith("it is a device")
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("x.wav")
        assert reason("x.wav", "open").startswith("it is a socket")


def test_a_missing_file_and_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "link.wav").symlink_to(tmp_path / "gone.wav")
    assert reason(tmp_path / "gone.wav", "open").startswith("there is no such file")
    assert reason(tmp_path / "link.wav", "open").startswith("there is no such file")


def test_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "a.wav").symlink_to(tmp_path / "a.wav")
    assert reason(tmp_path / "a.wav", "open").startswith("the system does not open it")


def test_a_file_that_may_not_be_read(write, monkeypatch) -> None:
    path = write()
    if os.geteuid() == 0:  # whom nothing is forbidden

        def refuse(*_: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("specconv.audio.source.os.open", refuse)
    path.chmod(0)
    assert reason(path, "open").startswith("it may not be read; permit it")


@pytest.mark.parametrize("name", ["a\0b.wav", "\ud800.wav"])
def test_a_name_that_no_file_has(name: str) -> None:
    assert reason(name, "open").startswith("no file can have this name")


@pytest.mark.parametrize(
    "name",
    [
        "two words.wav",
        "new\nline.wav",
        "-",
        "-rf.wav",
        "100%s{}.wav",
        unicodedata.normalize("NFC", "Übung é.wav"),
        unicodedata.normalize("NFD", "Übung é.wav"),
        "音楽.WAV",
        "x" * 246 + ".wav",
        os.fsdecode(b"latin-\xe9.wav"),
    ],
)
def test_any_other_name_is_a_name(write, monkeypatch, name: str) -> None:
    target = write("plain.wav").parent / name
    try:
        (target.parent / "plain.wav").rename(target)
    except OSError:
        pytest.skip("the file system has no such names")
    assert decode(target).waveform.shape == (1, 8000)
    monkeypatch.chdir(target.parent)
    assert load(name, AudioFormat()).n_samples == 8000
    assert probe(os.fsencode(name)).n_samples == 8000  # type: ignore[arg-type]


def test_dash_is_not_standard_input(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert reason("-", "open").startswith("there is no such file")


def test_a_file_that_shrinks_while_it_is_read(write, monkeypatch) -> None:
    monkeypatch.setattr("specconv.audio.source._BLOCK_SAMPLES", 1000)
    path = write(n=8000)
    blocks = stream(path, AudioFormat(), 1000)
    next(blocks)
    os.truncate(path, 44 + 2 * 3000)
    with pytest.raises(AudioError, match="header promises 8000 samples, 3000 could be decoded"):
        list(blocks)


def test_a_file_deleted_while_it_is_read(write) -> None:
    path = write(n=8000)
    blocks = stream(path, AudioFormat(), 1000)
    path.unlink()
    assert len(list(blocks)) == 8


def test_a_header_that_lies_costs_no_memory(write) -> None:
    path = write("a.flac")
    content = bytearray(path.read_bytes())
    content[22:26] = b"\x03\xff\xff\xff"  # 2^26 - 1 samples
    path.write_bytes(content)
    assert "promises 67108863 samples, 8000 could be decoded" in reason(path, "decode")
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4  # 2^36 - 1 samples: an estimate of the space needed shall not believe it
    path.write_bytes(content)
    assert f"promises 68719476735 samples, so few bytes hold at most {len(content) * 8192}" in reason(path, "decode")
    with pytest.raises(AudioError, match="so few bytes"):
        probe(path)


def test_silence_is_packed_as_densely_as_a_header_may_promise(tmp_path: Path) -> None:
    path = tmp_path / "silence.flac"
    soundfile.write(path, np.zeros(2**24), 8000, subtype="PCM_S8")
    assert probe(path).n_samples == 2**24


def test_a_flac_of_unset_length_is_read_to_its_end(write) -> None:
    path = write("a.flac")
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    assert probe(path).n_samples == -1
    assert load(path, AudioFormat()).n_samples == 8000


def test_a_damaged_flac(write) -> None:
    path = write("a.flac", n=64_000)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)
    assert "libsndfile gives up within" in reason(path, "decode").replace("64000 samples from sample 0", "")


@pytest.mark.parametrize("missing", [1, 1000, 8000])
def test_a_flac_cut_short(write, cut, missing: int) -> None:
    assert "cut short" in reason(cut(write("a.flac", n=16_000), missing), "decode")


def test_many_channels(write) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (500, 10))
    path = write(samples=samples, subtype="PCM_16")
    expected = soundfile.read(path)[0].mean(1)
    np.testing.assert_allclose(load(path, AudioFormat()).waveform, expected, atol=1e-7)
