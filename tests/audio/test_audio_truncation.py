from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from specconv.audio import AudioFormat, decode, load
from specconv.errors import AudioError

PLAIN = ["WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "SVX"]


@pytest.mark.parametrize("container", PLAIN)
@pytest.mark.parametrize("missing", [2, 2000])
def test_missing_samples_are_noticed(write, cut, container: str, missing: int) -> None:
    path = write("a", subtype="PCM_16", container=container)
    trailing = 0
    content = path.read_bytes()
    while decode(path).waveform[0, -1] != int.from_bytes(content[-2:], "little", signed=True) and (
        decode(path).waveform[0, -1] != int.from_bytes(content[-2:], "big", signed=True)
    ):  # chunks may follow the samples
        trailing += 2
        content = content[:-2]
    with pytest.raises(AudioError, match=r"the header promises \d+ .*samples, \d+ are there") as raised:
        decode(cut(path, trailing + missing))
    assert raised.value.stage == "decode"


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE", "PCM_24", "ULAW", "IMA_ADPCM", "GSM610"])
def test_missing_samples_of_any_encoding_are_noticed(write, cut, subtype: str) -> None:
    with pytest.raises(AudioError, match="the header promises"):
        decode(cut(write(subtype=subtype), 1000))


@pytest.mark.parametrize("subtype", ["ULAW", "ALAW", "PCM_S8", "PCM_24"])
def test_missing_speech_of_a_telephone_is_noticed(write, cut, subtype: str) -> None:
    with pytest.raises(AudioError, match="the header promises 8000 "):
        decode(cut(write("a.sph", subtype=subtype, container="NIST"), 3000))


def test_the_samples_are_counted(write, cut) -> None:
    with pytest.raises(AudioError, match="promises 8000 samples, 7500 are there"):
        load(cut(write(channels=2), 2000), AudioFormat(duration=0.1))


def test_bytes_of_no_whole_sample_are_no_loss(write) -> None:
    path = write(channels=2)
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", 8000 * 4 + 3)
    path.write_bytes(content)
    assert decode(path).waveform.shape == (2, 8000)


def test_chunks_around_the_samples_are_no_samples(write) -> None:
    path = write(n=1000)
    content = path.read_bytes()
    at = content.index(b"data")
    odd = b"LIST" + struct.pack("<I", 5) + b"hello\0"
    path.write_bytes(content[:at] + odd + content[at:] + odd)
    assert decode(path).waveform.shape == (1, 1000)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_an_ogg_cut_short(write, cut, subtype: str, share: float) -> None:
    path = write("a.ogg", n=160_000, subtype=subtype)
    with pytest.raises(AudioError, match="its last Ogg page"):
        decode(cut(path, int(path.stat().st_size * (1 - share))))


def test_an_ogg_cut_between_pages(write) -> None:
    path = write("a.ogg", n=160_000)
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"OggS")])
    with pytest.raises(AudioError, match="not marked as the end"):
        decode(path)


def test_rubbish_after_the_end_is_no_loss(write) -> None:
    for name in ("a.ogg", "a.flac", "a.wav", "a.mp3"):
        path = write(name)
        n_samples = decode(path).waveform.shape[1]
        with path.open("ab") as file:
            file.write(b"TAG" + bytes(125))
        assert decode(path).waveform.shape[1] == n_samples


def test_a_tag_in_front_is_skipped(write, cut) -> None:
    path = write()
    path.write_bytes(b"ID3\x03\0\0" + bytes([0, 0, 1, 0]) + bytes(128) + path.read_bytes())
    assert decode(path).waveform.shape == (1, 8000)
    with pytest.raises(AudioError, match="promises 8000 samples, 7000 are there"):
        decode(cut(path, 2000))


@pytest.mark.parametrize("magic", [b"RIFF", b"FORM", b"riff", b"caff", b".snd", b"NIST", b"OggS", b"ID3", b"\xff\xfb"])
def test_a_beginning_alone_is_refused_in_words(tmp_path: Path, magic: bytes) -> None:
    generator = np.random.default_rng(1)
    for n in range(0, 60, 7):
        path = tmp_path / "a"
        path.write_bytes(magic + generator.bytes(n))
        with pytest.raises(AudioError):
            decode(path)
