"""Whether a file was cut short, as its container tells.

libsndfile reads a cut WAV, AIFF, AU, W64, CAF, NIST, Ogg or MP3 up to where it ends and says nothing, so
shortened audio would pass for whole. Here the length that the container promises is compared with the
bytes that are there. FLAC needs nothing: its decoder fails, or finds fewer samples than promised.
Not covered are containers without a length (PVF, IRCAM, raw mu-law AU) and the rare AVR, MAT, MPC2K, PAF, VOC,
WVE and XI.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from specconv.audio.mpeg import count_frames

_HEAD = 1 << 12
_TAIL = 1 << 17  # an Ogg page has at most 65,307 bytes
_MOST_CHUNKS = 1 << 10
_BEYOND = 1 << 62  # where no file system has a byte
_PLAIN_CODES = (
    1,
    3,
    6,
    7,
    0xFFFE,
)  # wFormatTag of PCM, float, A-law, mu-law and WAVEX: a block is one sample
_AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # of one sample by AU encoding
_ByteOrder = Literal["big", "little"]
_COPY_AGAIN = "the file was cut short: copy it again, or rewrite it with a true header to keep what is there"


class CutShortError(Exception):
    """The file holds less than it promises; the message is the reason."""


@dataclass(frozen=True, slots=True)
class _Data:
    """Where a container's samples are: first byte, bytes promised, bytes of one sample of all channels."""

    start: int
    size: int
    frame_size: int = 1


def least_samples(fd: int, size: int) -> int:
    """Samples that a reader of the whole file ``fd`` of ``size`` bytes must find at least, 0 if unknown.

    Raises CutShortError if the container promises more than is there. A length that its writer could not
    know and left unset (a WAV written to a pipe) promises nothing.
    """
    start = _after_id3(fd)
    head = os.pread(fd, _HEAD, start)
    magic = head[:4]
    data = None
    if magic in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        data = _riff(fd, start, "big" if magic == b"RIFX" else "little")
    elif magic == b"FORM":
        data = _iff(fd, start)
    elif magic == b"riff":
        data = _wave64(fd, start)
    elif magic == b"caff":
        data = _caf(fd, start)
    elif magic in (b".snd", b"dns."):
        data = _au(head, start)
    elif magic == b"NIST":
        data = _nist(head, start)
    elif magic == b"OggS":
        _check_ogg(fd, size)
    elif head[:1] == b"\xff":
        return _mpeg_samples(fd, start, size)
    if data is not None:
        promised, found = (n // data.frame_size for n in (data.size, size - data.start))
        if found < promised:
            unit = "samples" if data.frame_size > 1 else "bytes of samples"
            raise CutShortError(f"the header promises {promised} {unit}, {max(found, 0)} are there; {_COPY_AGAIN}")
    return 0


def _after_id3(fd: int) -> int:
    """The first byte after any ID3v2 tags, which libsndfile skips in front of every format."""
    start = 0
    for _ in range(_MOST_CHUNKS):
        tag = os.pread(fd, 10, start)
        if tag[:3] != b"ID3" or len(tag) < 10:
            break
        start += 10 + sum((byte & 0x7F) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True))
    return start


def _chunks(
    fd: int, position: int, byteorder: _ByteOrder, *, id_bytes: int = 4, size_bytes: int = 4, align: int = 2
) -> Iterator[tuple[bytes, int, int]]:
    """(first four bytes of the id, first byte of the content, its size) of chunks from ``position`` on."""
    header_bytes = id_bytes + size_bytes
    for _ in range(_MOST_CHUNKS):
        header = os.pread(fd, header_bytes, position) if position < _BEYOND else b""
        if len(header) < header_bytes:
            return
        size = int.from_bytes(header[id_bytes:], byteorder)
        if id_bytes == 16:  # W64 counts the header too
            size -= header_bytes
        if size < 0:
            return
        yield header[:4], position + header_bytes, size
        position += header_bytes + -(-size // align) * align


def _left_unset(size: int) -> bool:
    """Whether a 32-bit size is what writers to a pipe leave: 0, or whole blocks up to 2^31 or 2^32."""
    return size == 0 or 0x7FFFE000 <= size <= 0x80000000 or 0xFFFFE000 <= size <= 0xFFFFFFFF


def _riff(fd: int, start: int, byteorder: _ByteOrder) -> _Data | None:
    frame_size, long_size = 1, None
    for name, content, size in _chunks(fd, start + 12, byteorder):
        if name == b"fmt ":
            fields = os.pread(fd, 14, content)
            if int.from_bytes(fields[:2], byteorder) in _PLAIN_CODES:
                frame_size = max(int.from_bytes(fields[12:14], byteorder), 1)
        elif name == b"ds64":
            long_size = int.from_bytes(os.pread(fd, 8, content + 8), byteorder)
        elif name == b"data":
            if size == 0xFFFFFFFF and long_size:
                return _Data(content, long_size, frame_size)
            return None if _left_unset(size) else _Data(content, size, frame_size)
    return None


def _iff(fd: int, start: int) -> _Data | None:
    plain, frame_size = os.pread(fd, 4, start + 8) == b"AIFF", 1
    for name, content, size in _chunks(fd, start + 12, "big"):
        if name == b"COMM" and plain:
            fields = os.pread(fd, 8, content)
            channels, bits = int.from_bytes(fields[:2], "big"), int.from_bytes(fields[6:8], "big")
            frame_size = max(channels * -(-bits // 8), 1)
        elif name in (b"SSND", b"BODY"):
            before = 8 if name == b"SSND" else 0  # offset and block size
            return None if _left_unset(size) else _Data(content + before, size - before, frame_size)
    return None


def _wave64(fd: int, start: int) -> _Data | None:
    for name, content, size in _chunks(fd, start + 40, "little", id_bytes=16, size_bytes=8, align=8):
        if name == b"data":
            return _Data(content, size)
    return None


def _caf(fd: int, start: int) -> _Data | None:
    for name, content, size in _chunks(fd, start + 8, "big", size_bytes=8, align=1):
        if name == b"data":
            unset = size >= 1 << 63  # -1
            return None if unset else _Data(content + 4, size - 4)  # an edit count goes first
    return None


def _au(head: bytes, start: int) -> _Data | None:
    byteorder: _ByteOrder = "big" if head[:4] == b".snd" else "little"
    offset, size, encoding, _rate, channels = (int.from_bytes(head[at : at + 4], byteorder) for at in range(4, 24, 4))
    if size == 0xFFFFFFFF:
        return None
    return _Data(start + offset, size, max(_AU_BYTES.get(encoding, 0) * channels, 1))


def _nist(head: bytes, start: int) -> _Data | None:
    fields = dict(re.findall(rb"^(\w+) -(?:i|s\d+) (\d{1,18})$", head[:1024], re.MULTILINE))
    try:
        header_bytes = int(head[8:16])
        n_samples, channels, n_bytes = (
            int(fields[key]) for key in (b"sample_count", b"channel_count", b"sample_n_bytes")
        )
    except (KeyError, ValueError):
        return None
    return _Data(start + header_bytes, n_samples * channels * n_bytes, max(channels * n_bytes, 1))


def _check_ogg(fd: int, size: int) -> None:
    tail_start = max(size - _TAIL, 0)
    tail = os.pread(fd, _TAIL, tail_start)
    page = tail.rfind(b"OggS\x00")
    if page < 0:
        return
    header = tail[page : page + 27]
    lacing = tail[page + 27 : page + 27 + header[26]] if len(header) == 27 else b""
    whole = len(header) == 27 and len(lacing) == header[26]
    if not whole or page + 27 + len(lacing) + sum(lacing) > len(tail):
        raise CutShortError(f"its last Ogg page goes beyond the last of {size} bytes; {_COPY_AGAIN}")
    if not header[5] & 4:
        raise CutShortError(f"its last Ogg page is not marked as the end of the stream; {_COPY_AGAIN}")


def _mpeg_samples(fd: int, start: int, size: int) -> int:
    count = count_frames(fd, start, size)
    if count is None:
        return 0
    if count.promised is not None and count.frames + 1 < count.promised:  # some encoders count one too many
        raise CutShortError(
            f"the header promises {count.promised} MPEG frames, {count.frames} are there; {_COPY_AGAIN}"
        )
    if count.promised is None and count.cut:
        raise CutShortError(f"it ends within MPEG frame {count.frames + 1}; {_COPY_AGAIN}")
    # what decoders drop is at most 529 + 4095 + 4095 samples, by the delay and padding of a LAME header
    return max((count.frames - 1) * count.samples_per_frame - 8719, 0)
