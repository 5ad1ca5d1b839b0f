"""Headers that do not say how long the samples are, or cannot: beyond 4 GiB, or written to a pipe."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from specconv.audio import AudioFormat, decode, load, load_at_most, probe, stream
from specconv.errors import AudioError

# where the size stands: behind these bytes, so many bytes further, in this form
SIZES = {
    "WAV": (b"data", 0, "<I"),
    "WAVEX": (b"data", 0, "<I"),
    "AIFF": (b"SSND", 0, ">I"),
    "AU": (b".snd", 4, ">I"),
    "RF64": (b"ds64", 12, "<Q"),
    "W64": (b"data", 12, "<Q"),
    "CAF": (b"data", 0, ">Q"),
}
UNSET_32 = [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x7FFFF000, 0xFFFFFFFE]
UNSET_64 = [0, 2**64 - 1, 2**63 - 1]


def set_size(path: Path, container: str, size: int) -> Path:
    mark, further, form = SIZES[container]
    with path.open("r+b") as file:
        file.seek(file.read(8192).index(mark) + 4 + further)
        file.write(struct.pack(form, size))
    return path


@pytest.mark.parametrize(
    ("container", "size"),
    [(container, size) for container, (_, _, form) in SIZES.items() for size in (UNSET_64 if "Q" in form else UNSET_32)]
    + [("AIFF", 8), ("W64", 24), ("CAF", 4), ("AIFF", 0x7FFFFFF8)],
)
def test_a_size_left_unset_is_read_to_the_end(write, container: str, size: int) -> None:
    path = write("a", subtype="PCM_16", container=container, channels=2)
    expected = decode(path).waveform
    content = path.read_bytes()  # without chunks behind the samples: nothing could tell them from samples
    if container in ("WAV", "AIFF"):
        path.write_bytes(content[: (content.index(SIZES[container][0]) + 8) + 32000 + 8 * (container == "AIFF")])
    path = set_size(path, container, size)
    assert torch.equal(decode(path).waveform, expected)
    assert probe(path).n_samples == 8000
    whole = load(path, AudioFormat()).waveform
    assert torch.equal(torch.cat(list(stream(path, AudioFormat(), 700))), whole)
    assert torch.equal(load(path, AudioFormat(duration=0.2)).waveform, whole[:3200])
    assert load_at_most(path, AudioFormat(), 7999) is None


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
def test_any_plain_encoding_is_read_to_the_end(write, subtype: str, size: int) -> None:
    path = write(subtype=subtype, channels=2)
    content = path.read_bytes()
    expected = decode(path)
    path.write_bytes(content[: content.index(b"data") + 8 + expected.waveform.shape[1] * _bytes(subtype) * 2])
    found = decode(set_size(path, "WAV", size))
    assert found.sample_rate == expected.sample_rate
    assert torch.equal(found.waveform, expected.waveform)


def _bytes(subtype: str) -> int:
    return {"PCM_U8": 1, "ULAW": 1, "ALAW": 1, "PCM_24": 3, "DOUBLE": 8}.get(subtype, 4)


def test_no_samples_but_chunks_are_no_samples(write) -> None:
    path = write(samples=np.zeros((0, 1)))
    with path.open("ab") as file:
        file.write(b"LIST" + struct.pack("<I", 4) + b"INFO")
    with pytest.raises(AudioError, match="it holds no samples"):
        decode(path)


@pytest.mark.parametrize("container", ["WAV", "AIFF"])
def test_joined_files_of_unset_length_are_refused(write, container: str) -> None:
    path = set_size(write("a", container=container), container, 0xFFFFFFFF)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() * 2)
    for use in (decode, lambda path: load(path, AudioFormat()), lambda path: list(stream(path, AudioFormat(), 100))):
        with pytest.raises(AudioError, match=f"another file begins at byte {size}, and the header before does not"):
            use(path)
    assert load(path, AudioFormat(duration=0.25)).n_samples == 4000


def test_more_samples_than_promised_are_refused(write) -> None:
    path = set_size(write(), "WAV", 4000)
    with pytest.raises(AudioError, match="promises 2000 samples, and 12000 bytes of no known kind follow"):
        decode(path)


@pytest.mark.parametrize("more", [-5, 5])
def test_both_lengths_of_an_aiff_must_agree(write, more: int) -> None:
    path = write("a.aiff")
    content = bytearray(path.read_bytes())
    at = content.index(b"COMM") + 10
    content[at : at + 4] = struct.pack(">I", 8000 + more)
    path.write_bytes(content)
    if more < 0:  # SSND is what readers go by
        assert decode(path).waveform.shape == (1, 8000)
    else:
        with pytest.raises(AudioError, match="promises 8005 samples, 8000 are there"):
            decode(path)


# --- more than 4 GiB, in a file with a hole

N_BEYOND = 2**31 + 192_000  # samples of 2 bytes: the size wraps to 384,000 bytes


def beyond(path: Path, container: str, size: int | None, trailing: bytes = b"") -> Path:
    """Make the file's samples so many, of which the last 64 are 16384; its size wraps if ``size`` is None."""
    content = path.read_bytes()
    mark, _, form = SIZES[container]
    start = 24 if container == "AU" else content.index(mark) + 8 + 8 * (container == "AIFF")
    start += int.from_bytes(content[4:8], "big") - 24 if container == "AU" else 0
    extra = 8 if container == "AIFF" else 0
    set_size(path, container, (2 * N_BEYOND + extra) & 0xFFFFFFFF if size is None else size)
    with path.open("r+b") as file:
        file.truncate(start + 2 * N_BEYOND - 128)
        file.seek(0, 2)
        file.write(64 * struct.pack(form[0] + "h", 16384) + trailing)
    return path


@pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
@pytest.mark.parametrize("container", ["WAV", "AIFF", "AU"])
def test_all_samples_beyond_4_gib_are_seen(write, container: str, size: int | None) -> None:
    path = write("a", container=container, subtype="PCM_16")
    expected = decode(path).waveform[0, :6000]
    path = beyond(path, container, size)
    assert probe(path).n_samples == N_BEYOND  # from the first sample on, so the last is among them
    assert load_at_most(path, AudioFormat(), N_BEYOND - 1) is None
    assert torch.equal(load(path, AudioFormat(duration=0.375)).waveform, expected / 32768)


def test_chunks_behind_samples_beyond_4_gib(write) -> None:
    path = beyond(write(), "WAV", None, b"LIST" + struct.pack("<I", 4) + b"INFO")
    assert probe(path).n_samples == N_BEYOND


@pytest.mark.parametrize("size", [None, 0xFFFFFFFF])
def test_coded_samples_beyond_4_gib_are_refused(write, size: int | None) -> None:
    path = beyond(write(subtype="IMA_ADPCM"), "WAV", size)
    with pytest.raises(AudioError, match=r"its header cannot say how long the 42\d+ bytes of coded samples are"):
        probe(path)


def test_a_size_that_fits_nothing_is_refused(write) -> None:
    with pytest.raises(AudioError, match="bytes of no known kind follow"):
        probe(beyond(write(), "WAV", 123456))
