"""Files joined end to end: all of their audio, or the reason why not."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from specconv.audio import AudioFormat, decode, load, load_at_most, probe, stream
from specconv.errors import AudioError

KINDS = {
    "vorbis": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "flac": ("FLAC", "PCM_16"),
    "mp3": ("MP3", None),
    "wav": ("WAV", "PCM_16"),
    "wav, adpcm": ("WAV", "IMA_ADPCM"),
    "rifx": ("WAV", "FLOAT"),
    "rf64": ("RF64", "PCM_24"),
    "w64": ("W64", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "aiff-c": ("AIFF", "FLOAT"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "nist": ("NIST", "PCM_16"),
    "svx": ("SVX", "PCM_16"),
}
LENGTHS = [(16000, 16000, 16000), (3000, 16000, 501), (16000, 1), (1, 8000), (501,) * 7]
Join = Callable[..., list[Path]]


@pytest.fixture
def make(tmp_path: Path) -> Join:
    """Write files of these lengths and give their paths; all samples differ."""

    def write(kind: str, lengths: Sequence[int], sample_rate: int = 16000, channels: int = 1) -> list[Path]:
        container, subtype = KINDS.get(kind, ("FLAC", "PCM_24"))
        paths = []
        for number, n in enumerate(lengths):
            samples = np.random.default_rng(number + n).uniform(-0.5, 0.5, (n, channels))
            path = tmp_path / f"{kind} {number} {n} {sample_rate} {channels}"
            endian = "BIG" if kind == "rifx" else None
            with path.open("w+b") as file:
                soundfile.write(file, samples, sample_rate, subtype, endian, container)
            paths.append(path)
        return paths

    return write


def join(paths: Sequence[Path], between: bytes = b"") -> Path:
    joined = paths[0].with_name("joined")
    joined.write_bytes(between.join(path.read_bytes() for path in paths))
    return joined


def refusal(path: Path) -> str:
    """Why every way in refuses the file: the same reason."""
    reasons = set()
    for use in (
        decode,
        lambda path: load(path, AudioFormat()),
        lambda path: load_at_most(path, AudioFormat(), 10**9),
        lambda path: list(stream(path, AudioFormat(), 100)),
    ):
        with pytest.raises(AudioError) as raised:
            use(path)
        assert raised.value.stage == "decode"
        reasons.add(raised.value.reason)
    assert len(reasons) == 1
    return reasons.pop()


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_joined_files_are_all_of_their_audio(make: Join, kind: str, lengths: tuple[int, ...]) -> None:
    paths = make(kind, lengths)
    expected = torch.cat([decode(path).waveform for path in paths], 1)
    assert expected.shape[1] >= sum(lengths)
    path = join(paths)
    assert torch.equal(decode(path).waveform, expected)
    assert probe(path).n_samples == expected.shape[1]
    loaded = load(path, AudioFormat())
    assert loaded.n_samples == expected.shape[1]
    assert torch.equal(torch.cat(list(stream(path, AudioFormat(), 700))), loaded.waveform)
    assert load_at_most(path, AudioFormat(), expected.shape[1] - 1) is None
    at_most = load_at_most(path, AudioFormat(), expected.shape[1])
    assert at_most is not None
    assert torch.equal(at_most.waveform, loaded.waveform)


@pytest.mark.parametrize("sample_rate", [None, 11025])
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_seconds_are_those_of_the_whole(make: Join, kind: str, sample_rate: int | None) -> None:
    path = join(make(kind, (8000, 8000, 8000)))
    whole = load(path, AudioFormat(sample_rate)).waveform
    for duration in (0.1, 0.5, 0.7, 1.2):
        wanted = AudioFormat(sample_rate, duration=duration)
        expected = whole[: round(duration * (sample_rate or 16000))]
        torch.testing.assert_close(load(path, wanted).waveform, expected, rtol=0, atol=1e-7)
        torch.testing.assert_close(torch.cat(list(stream(path, wanted, 100))), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("sample_rate", "channels"), [(22050, 1), (16000, 2)])
@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_another_format_are_refused(make: Join, kind: str, sample_rate: int, channels: int) -> None:
    if kind == "opus" and sample_rate == 22050:
        sample_rate = 24000
    if kind == "svx" and channels == 2:
        pytest.skip("SVX is mono")
    path = join(make(kind, (8000,)) + make(kind, (8000,), sample_rate, channels))
    reason = refusal(path)
    assert reason.startswith("part 2 of the joined file, from byte ")
    assert f"it has {sample_rate} Hz, {channels} channel" in reason
    assert "the part before has 16000 Hz, 1 channel" in reason
    with pytest.raises(AudioError, match="part 2"):
        probe(path)
    assert load(path, AudioFormat(duration=0.25)).n_samples == 4000  # the first seconds are the whole's


def test_parts_of_another_depth_are_refused(make: Join) -> None:
    assert "part 2" in refusal(join(make("flac", (8000,)) + make("flac of 24 bits", (8000,))))


@pytest.mark.parametrize("one", ["wav", "aiff", "w64"])
@pytest.mark.parametrize("other", ["wav", "aiff", "w64", "flac"])
def test_parts_of_different_containers(make: Join, one: str, other: str) -> None:
    path = join([*make(one, (8000,)), *make(other, (5000,))])
    assert decode(path).waveform.shape == (1, 13000)


@pytest.mark.parametrize("kind", ["vorbis", "opus", "flac", "mp3", "wav", "aiff", "au"])
def test_a_part_cut_short_is_named(make: Join, kind: str) -> None:
    first, second = make(kind, (20000, 20000))
    second.write_bytes(second.read_bytes()[:-900])
    assert refusal(join([first, second]))
    first, second = make(kind, (20000, 20000))
    first.write_bytes(first.read_bytes()[:-900])
    assert refusal(join([first, second]))


TAGS = {
    "ID3v1": b"TAG" + bytes(125),
    "ID3v2": b"ID3\x03\0\0\0\0\x09\x00" + b"cover \xff\xfb art" * 96,
    "a large ID3v2": b"ID3\x03\0\0\0\x5b\x0d\x00" + bytes(0x5B << 14 | 0x0D << 7),
    "APE": b"APETAGEX" + bytes([0xD0, 7, 0, 0, 132, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xA0]) + bytes(8 + 132),
}


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("kind", ["flac", "mp3", "wav"])
def test_tags_between_parts_are_no_end(make: Join, kind: str, tag: str) -> None:
    paths = make(kind, (9000, 16000, 700))
    assert decode(join(paths, TAGS[tag])).waveform.shape[1] == 25700


def test_an_mp3_without_headers_is_one_stream(tmp_path: Path) -> None:
    content = b""
    for number in range(3):
        path = tmp_path / "a.mp3"
        samples = np.random.default_rng(number).normal(0, 0.1, 64_000)
        soundfile.write(path, samples, 16000, bitrate_mode="CONSTANT", compression_level=0.5)
        one = path.read_bytes()
        content += one[one.index(one[:2], 4) :]
    path.write_bytes(content)
    assert decode(path).waveform.shape[1] >= 3 * 64_000


def test_a_flac_of_unset_length_ends_where_the_next_begins(make: Join) -> None:
    first, second = make("flac", (8000, 5000))
    content = bytearray(first.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    first.write_bytes(content)
    path = join([first, second])
    assert decode(path).waveform.shape == (1, 13000)
    assert probe(path).n_samples == -1


def test_a_whole_file_costs_no_search_where_its_beginning_is_enough(make: Join, monkeypatch) -> None:
    (path,) = make("flac", (16000,))
    monkeypatch.setattr("specconv.audio.parts.find", None)
    assert load(path, AudioFormat(duration=0.5)).n_samples == 8000


# --- one rule for all formats: a file that promises more than it holds is refused


def promise_more(path: Path, kind: str, content: bytes, samples: int) -> None:
    """Rewrite the length in the header."""
    mark, further, form, unit = {
        "flac": (b"fLaC", 18, ">I", 1),
        "wav": (b"data", 0, "<I", 2),
        "aiff": (b"SSND", 0, ">I", 2),
        "au": (b".snd", 4, ">I", 2),
        "caf": (b"data", 0, ">Q", 2),
        "w64": (b"data", 12, "<Q", 2),
        "rf64": (b"ds64", 12, "<Q", 3),
        "mp3": (b"Xing" if b"Xing" in content[:64] else b"Info", 4, ">I", 1),
    }[kind]
    at = content.index(mark) + 4 + further
    (before,) = struct.unpack_from(form, content, at)
    after = bytearray(content)
    struct.pack_into(form, after, at, before + samples * unit)
    path.write_bytes(after)


@pytest.mark.parametrize("samples", [1, 3, 2000])
@pytest.mark.parametrize("kind", ["flac", "wav", "aiff", "au", "caf", "w64", "rf64"])
def test_a_promise_of_a_few_samples_more_is_refused(make: Join, kind: str, samples: int) -> None:
    (path,) = make(kind, (8000,))
    content = path.read_bytes()
    if kind in ("wav", "aiff", "caf", "w64", "rf64"):  # no chunk behind the samples that could be taken for them
        n_bytes = 8000 * (3 if kind == "rf64" else 2)
        start = content.index(b"SSND" if kind == "aiff" else b"data")
        start += {"aiff": 16, "caf": 16, "w64": 24}.get(kind, 8)
        content = content[: start + n_bytes]
    promise_more(path, kind, content, samples)
    assert f"promises {8000 + samples} samples, 8000 " in refusal(path)


@pytest.mark.parametrize("kind", ["vorbis", "opus"])
def test_an_ogg_without_its_end_flag_is_refused(make: Join, kind: str) -> None:
    (path,) = make(kind, (64_000,))
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"OggS")])
    assert "is not marked as the end of the stream" in refusal(path)


def test_an_mp3_that_promises_more_is_refused(make: Join) -> None:
    (path,) = make("mp3", (16_000,))
    promise_more(path, "mp3", path.read_bytes(), 2)  # frames
    assert "MPEG frames" in refusal(path)
