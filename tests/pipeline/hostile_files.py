"""Files and folders that people have, and that break other tools: made here, each with the end that it must come to.

Used by the tests of this folder and by ``scripts/hostile_inputs.py``.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
# How a path ends: as a clip, named among the skipped, never taken for audio; or at a stage, in the ledger.
CLIP, SKIPPED, PASSED_OVER = "specgram", "skipped", "passed over"
JOB: Mapping[str, object] = {
    "audio": {"sample_rate": RATE},
    "transforms": [
        {"type": "mel", "n_fft": 1024, "hop_length": 256, "n_mels": 32, "scale": "decibel", "top_db": 80.0},
        {"type": "cqt", "n_bins": 24, "hop_length": 512},
    ],
    "shards": {"clips": 16},
}


def noise(n: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(n).uniform(-0.5, 0.5, (n, channels))


def wav(path: Path, n: int = 8000, rate: int = RATE, channels: int = 1, subtype: str = "PCM_16") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:  # an open file: soundfile cannot take every name
        soundfile.write(file, noise(n, channels), rate, subtype=subtype, format="WAV")


def encoded(path: Path, container: str, n: int = 16000, subtype: str | None = None) -> bytes:
    with path.open("wb") as file:
        soundfile.write(file, noise(n), RATE, format=container, subtype=subtype)
    return path.read_bytes()


def cut(path: Path, container: str, share: float, subtype: str | None = None) -> None:
    content = encoded(path, container, subtype=subtype)
    path.write_bytes(content[: int(share * len(content))])


def samples(path: Path, values: list[float]) -> None:
    soundfile.write(path, np.array(values), RATE, subtype="FLOAT")


def flac_of_length(path: Path, n_samples: int, stored: int = 8000) -> None:
    """A FLAC whose header promises so many samples; 0: does not say."""
    content = bytearray(encoded(path, "FLAC", stored))
    content[21] = content[21] & 0xF0 | n_samples >> 32
    content[22:26] = (n_samples & 0xFFFFFFFF).to_bytes(4, "big")
    path.write_bytes(content)


def flac_header(path: Path) -> None:
    """One that promises no sample, and nothing after it."""
    flac_of_length(path, 0)
    content = bytearray(path.read_bytes()[:42])
    content[4] |= 0x80  # the last block of its header
    path.write_bytes(content)


def riff(path: Path, *, rate: int = RATE, channels: int = 1, bits: int = 16, promised: int = 2000) -> None:
    block = channels * bits // 8
    fmt = struct.pack("<HHIIHH", 1, channels, rate, rate * block & 0xFFFFFFFF, block & 0xFFFF, bits)
    head = b"RIFF" + struct.pack("<I", 36 + promised) + b"WAVEfmt " + struct.pack("<I", 16) + fmt
    path.write_bytes(head + b"data" + struct.pack("<I", promised) + bytes(2000))


def promises_more(path: Path) -> None:
    wav(path)
    with path.open("r+b") as file:
        file.truncate(8000)


def mp3_without_header(path: Path) -> None:
    """Its first frame, which holds no sound but the length, is gone: readers guess from its size."""
    content = encoded(path, "MP3", 32000)
    path.write_bytes(content[content.index(b"\xff\xfb", 4) :] if b"\xff\xfb" in content[4:] else content)


def unix_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is at most 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def unreadable(path: Path) -> None:
    wav(path)
    path.chmod(0)


def joined(path: Path, container: str, subtype: str | None = None, *, rates: tuple[int, ...] = (RATE, RATE)) -> None:
    parts = []
    for rate in rates:
        with path.open("w+b") as file:
            soundfile.write(file, noise(12000), rate, format=container, subtype=subtype)
        parts.append(path.read_bytes())
    path.write_bytes(b"".join(parts))


def length_unset(path: Path, size: int) -> None:
    wav(path)
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = size.to_bytes(4, "little")
    path.write_bytes(content)


def no_end_flag(path: Path) -> None:
    content = encoded(path, "OGG", 64000)
    path.write_bytes(content[: content.rindex(b"OggS")])


Make = Callable[[Path], object]

CONTENTS: Mapping[str, tuple[Make, str]] = {
    "sound.wav": (wav, CLIP),
    "empty.wav": (lambda p: p.write_bytes(b""), "open"),
    "text.wav": (lambda p: p.write_text("this is no audio\n" * 100), "open"),
    "zeros.wav": (lambda p: p.write_bytes(bytes(10_000)), "open"),
    "web page.mp3": (lambda p: p.write_text("<!DOCTYPE html><html><body>404 Not Found</body></html>"), "open"),
    "header alone.wav": (lambda p: wav(p, 0), "decode"),
    "header alone.flac": (flac_header, "decode"),
    "promises more.wav": (promises_more, "decode"),
    "promises far more.flac": (lambda p: flac_of_length(p, 2**36 - 1), "decode"),
    "promises more.flac": (lambda p: flac_of_length(p, 2**26), "decode"),
    "length not said.flac": (lambda p: flac_of_length(p, 0), CLIP),
    "cut.flac": (lambda p: cut(p, "FLAC", 0.6), "decode"),
    "cut.mp3": (lambda p: cut(p, "MP3", 0.6), "decode"),
    "cut.ogg": (lambda p: cut(p, "OGG", 0.6), "decode"),
    "cut.aiff": (lambda p: cut(p, "AIFF", 0.6), "decode"),
    "cut.sph": (lambda p: cut(p, "NIST", 0.6, "ULAW"), "decode"),
    "cut.sds": (lambda p: cut(p, "SDS", 0.6), "open"),
    "cut in the header.wav": (lambda p: cut(p, "WAV", 0.001), "open"),
    "mp3 of guessed length.mp3": (mp3_without_header, CLIP),
    "nan.wav": (lambda p: samples(p, [0.1, float("nan"), 0.2]), "decode"),
    "inf.wav": (lambda p: samples(p, [0.1] * 5000 + [float("-inf")]), "decode"),
    "huge values.wav": (lambda p: samples(p, [1e30] * 100), "decode"),
    "full scale.wav": (lambda p: samples(p, [1.0, -1.0] * 4000), CLIP),
    "silence.wav": (lambda p: samples(p, [0.0] * 8000), CLIP),
    "one sample.wav": (lambda p: wav(p, 1), CLIP),
    "two samples.flac": (lambda p: encoded(p, "FLAC", 2), CLIP),
    "shorter than half a frame.wav": (lambda p: wav(p, 511), CLIP),
    "10 channels.wav": (lambda p: wav(p, channels=10), CLIP),
    "65535 channels.wav": (lambda p: riff(p, channels=65535), "open"),
    "no channel.wav": (lambda p: riff(p, channels=0), "open"),
    "8 bit.wav": (lambda p: wav(p, subtype="PCM_U8"), CLIP),
    "24 bit.wav": (lambda p: wav(p, subtype="PCM_24"), CLIP),
    "64 bit float.wav": (lambda p: wav(p, subtype="DOUBLE"), CLIP),
    "a-law.wav": (lambda p: wav(p, subtype="ALAW"), CLIP),
    "0 Hz.wav": (lambda p: riff(p, rate=0), "open"),
    "1 Hz.wav": (lambda p: wav(p, rate=1), "resample"),
    "16 Hz.wav": (lambda p: wav(p, 500, rate=16), CLIP),
    "768 kHz.wav": (lambda p: wav(p, 100_000, rate=768_000), CLIP),
    "2 GHz.wav": (lambda p: riff(p, rate=2_000_000_000), "resample"),
    "coprime rate.wav": (lambda p: wav(p, rate=44_101), CLIP),
    "flac in truth.wav": (lambda p: encoded(p, "FLAC"), CLIP),
    "opus.ogg": (lambda p: encoded(p, "OGG", subtype="OPUS"), CLIP),
    "joined.ogg": (lambda p: joined(p, "OGG", "VORBIS"), CLIP),
    "joined.opus": (lambda p: joined(p, "OGG", "OPUS"), CLIP),
    "joined.flac": (lambda p: joined(p, "FLAC"), CLIP),
    "joined.mp3": (lambda p: joined(p, "MP3"), CLIP),
    "joined.wav": (lambda p: joined(p, "WAV"), CLIP),
    "joined.aiff": (lambda p: joined(p, "AIFF"), CLIP),
    "joined of two rates.ogg": (lambda p: joined(p, "OGG", "VORBIS", rates=(RATE, 22050)), "decode"),
    "joined of two rates.flac": (lambda p: joined(p, "FLAC", rates=(RATE, 22050)), "decode"),
    "joined of two rates.mp3": (lambda p: joined(p, "MP3", rates=(RATE, 22050)), "decode"),
    "from a pipe.wav": (lambda p: length_unset(p, 0xFFFFFFFF), CLIP),
    "size never set.wav": (lambda p: length_unset(p, 0), CLIP),
    "no end flag.ogg": (no_end_flag, "decode"),
    "book.aax": (lambda p: p.write_bytes(b"\0\0\0\x20ftypaax "), SKIPPED),
    "notes.txt": (lambda p: p.write_text("no audio"), PASSED_OVER),
    "unreadable.wav": (unreadable, CLIP if os.geteuid() == 0 else "open"),
}

NAMES: Mapping[str, str] = {
    "UPPER.WAV": CLIP,
    "MiXeD.WaV": CLIP,
    "two words.wav": CLIP,
    " spaces around .wav": CLIP,
    "new\nline.wav": CLIP,
    "tab\tand\rreturn.wav": CLIP,
    "\x1b[2Jescape.wav": CLIP,
    "caf\u00e9.wav": CLIP,
    "cafe\u0301.wav": CLIP,  # the same to the eye
    "\u202ereversed.wav": CLIP,
    "\U0001f3b9 \u97f3\u697d.wav": CLIP,
    "-rf.wav": CLIP,
    "--config.wav": CLIP,
    "100%s %d.wav": CLIP,
    "a.wav.wav": CLIP,
    "'quotes\" $(x) `y`.wav": CLIP,
    "back\\slash.wav": CLIP,
    os.fsdecode(b"latin-1 \xe9.wav"): CLIP,
    os.fsdecode(b"\xff\xfe\x80.wav"): CLIP,
    "n" * 246 + ".wav": CLIP,
    "no extension": PASSED_OVER,
    ".hidden.wav": SKIPPED,
    "._fork.wav": SKIPPED,
    "same/one.wav": CLIP,
    "same too/one.wav": CLIP,
    "folder.wav/inside.wav": CLIP,
    ".git/object.wav": SKIPPED,
    "deep/" * 40 + "down.wav": CLIP,
}


def make_hostile_audio(root: Path) -> dict[str, str]:
    """Make everything below ``root / "audio"`` (and some of it beside); returns the end of each path in it."""
    audio, outside = root / "audio", root / "outside"
    ends: dict[str, str] = {}
    for name, (make, end) in CONTENTS.items():
        path = audio / "contents" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)
        ends[f"contents/{name}"] = end
    for number, (name, end) in enumerate(NAMES.items()):
        wav(audio / "names" / name, 4000 + number)  # each another sound
        ends[f"names/{name}"] = end
    wav(outside / "far.wav")
    special = audio / "special"
    special.mkdir()
    links: Mapping[str, tuple[str | Path, str]] = {
        "link.wav": ("../contents/sound.wav", CLIP),
        "link outside.wav": (outside / "far.wav", CLIP),
        "dangling.wav": ("nowhere.wav", SKIPPED),
        "itself.wav": ("itself.wav", SKIPPED),
        "zero.wav": ("/dev/zero", SKIPPED),
        "loop": ("..", SKIPPED),
        "folder outside": (outside, SKIPPED),
    }
    for name, (target, end) in links.items():
        (special / name).symlink_to(target)
        ends[f"special/{name}"] = end
    os.mkfifo(special / "fifo.wav")
    unix_socket(special / "socket.wav")
    ends |= {"special/fifo.wav": SKIPPED, "special/socket.wav": SKIPPED}
    return ends
