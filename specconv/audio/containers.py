"""Where a container says that its samples are, and how many: WAV, RF64, W64, AIFF, CAF, AU and NIST.

Sizes of 32 bits need care: a writer to a pipe leaves them 0 or at their maximum, and beyond 4 GiB they wrap.
So a size is believed where the file ends, or goes on as the container allows, just behind it. Not covered are
containers without a length (PVF, IRCAM, raw mu-law AU) and the rare AVR, MAT, MPC2K, PAF, VOC, WVE and XI.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

MAGIC = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM", b"riff", b"caff", b".snd", b"dns.", b"NIST", b"OggS", b"fLaC")
_MOST_CHUNKS = 1 << 10
_BEYOND = 1 << 62  # where no file system has a byte
_AU_SUBTYPES = {1: "ULAW", 2: "PCM_S8", 3: "PCM_16", 4: "PCM_24", 5: "PCM_32", 6: "FLOAT", 7: "DOUBLE", 27: "ALAW"}
_WAVE_SUBTYPES = {(1, 1): "PCM_U8", (1, 2): "PCM_16", (1, 3): "PCM_24", (1, 4): "PCM_32"}  # by wFormatTag and bytes
_WAVE_SUBTYPES |= {(3, 4): "FLOAT", (3, 8): "DOUBLE", (6, 1): "ALAW", (7, 1): "ULAW"}
_BYTES = {
    "ULAW": 1,
    "ALAW": 1,
    "PCM_U8": 1,
    "PCM_S8": 1,
    "PCM_16": 2,
    "PCM_24": 3,
    "PCM_32": 4,
    "FLOAT": 4,
    "DOUBLE": 8,
}
_ByteOrder = Literal["big", "little"]


@dataclass(frozen=True, slots=True)
class Plain:
    """Samples that stand in the file one after the other: a subtype of libsndfile, Hz, channels, byte order."""

    subtype: str
    sample_rate: int
    channels: int
    byteorder: _ByteOrder

    @property
    def frame_size(self) -> int:
        """Bytes of one sample of all channels."""
        return _BYTES[self.subtype] * self.channels


@dataclass(frozen=True, slots=True)
class Data:
    """A container's samples.

    start: first byte. size: bytes that the header promises, or that are there where it does not say.
    said: whether the header says this size: not where it was left unset or wrapped.
    plain: their format, None if they are coded or of a rare kind.
    stop: where the container ends and another file may begin.
    """

    start: int
    size: int
    said: bool
    plain: Plain | None
    stop: int


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a container's chunks are written. A chunk of W64 counts its header too."""

    byteorder: _ByteOrder
    id_bytes: int = 4
    size_bytes: int = 4
    align: int = 2

    def chunks(self, fd: int, position: int) -> Iterator[tuple[bytes, int, int]]:
        """(first four bytes of the id, first byte of the content, its size) of chunks from ``position`` on."""
        header_bytes = self.id_bytes + self.size_bytes
        for _ in range(_MOST_CHUNKS):
            header = os.pread(fd, header_bytes, position) if position < _BEYOND else b""
            if len(header) < header_bytes:
                return
            size = int.from_bytes(header[self.id_bytes :], self.byteorder)
            if self.id_bytes == 16:
                size = max(size - header_bytes, 0)
            yield header[:4], position + header_bytes, size
            position += header_bytes + self.padded(size)

    def padded(self, size: int) -> int:
        return -(-size // self.align) * self.align

    def end_of_chunks(self, fd: int, position: int, end: int) -> int:
        """Where the chunks from ``position`` on end: at another file, at ``end`` or at bytes that are no chunk."""
        for name, content, size in self.chunks(fd, position) if position < end else ():
            if name in MAGIC or not name.isascii() or not name.decode().isprintable() or content + size > end:
                break
            position = content + self.padded(size)
        return position


def read_data(fd: int, start: int, end: int) -> Data | None:
    """What the container from byte ``start`` on of a file of ``end`` bytes says of its samples; None if nothing."""
    head = os.pread(fd, 1024, start)
    magic = head[:4]
    if magic in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return _riff(fd, start + 12, end, _Layout("big" if magic == b"RIFX" else "little"))
    if magic == b"riff":
        return _riff(fd, start + 40, end, _Layout("little", 16, 8, 8))
    if magic == b"FORM":
        return _iff(fd, start + 12, end, plain=head[8:12] == b"AIFF")
    if magic == b"caff":
        return _caf(fd, start + 8, end)
    if magic in (b".snd", b"dns."):
        return _au(fd, head, start, end)
    return _nist(fd, head, start, end) if magic == b"NIST" else None


def _data(fd: int, start: int, size: int, end: int, layout: _Layout, plain: Plain | None) -> Data:
    """The samples from ``start`` on, of so many bytes if that can be true."""
    wrap = 1 << 32 if layout.size_bytes == 4 else _BEYOND
    for possible in range(size, end - start + 1, wrap):
        for behind in (layout.padded(possible), possible):  # some writers leave the padding out
            stop = layout.end_of_chunks(fd, start + behind, end)
            if end <= stop <= end + 1 or os.pread(fd, 4, stop) in MAGIC:
                return Data(start, possible, possible == size, plain, min(stop, end))
    if size == 0 or 0x7FFFE000 <= size <= 0x80000000 or 0xFFFFE000 <= size <= 0xFFFFFFFF or size >= _BEYOND:
        return Data(start, max(end - start, 0), False, plain, end)  # whole blocks up to 2^31, 2^32 or 2^63
    return Data(start, size, True, plain, min(layout.end_of_chunks(fd, start + layout.padded(size), end), end))


def _riff(fd: int, position: int, end: int, layout: _Layout) -> Data | None:
    plain, long_size = None, None
    for name, content, size in layout.chunks(fd, position):
        if name == b"fmt ":
            plain = _wave_format(os.pread(fd, 26, content), layout.byteorder)
        elif name == b"ds64":
            long_size = int.from_bytes(os.pread(fd, 8, content + 8), "little")
        elif name == b"data":
            if size == 0xFFFFFFFF and long_size is not None:
                size = long_size
            return _data(fd, content, size, end, layout, plain)
    return None


def _wave_format(fields: bytes, byteorder: _ByteOrder) -> Plain | None:
    if len(fields) < 16:
        return None
    order = "<" if byteorder == "little" else ">"
    code, channels, sample_rate, _, block, bits = struct.unpack(f"{order}HHIIHH", fields[:16])
    if code == 0xFFFE and len(fields) == 26:
        code = int.from_bytes(fields[24:26], byteorder)
    n_bytes = block // max(channels, 1)
    subtype = _WAVE_SUBTYPES.get((code, n_bytes))
    if subtype is None or n_bytes * channels != block or bits > 8 * n_bytes or bits <= 8 * (n_bytes - 1):
        return None
    return Plain(subtype, sample_rate, channels, byteorder)


def _iff(fd: int, position: int, end: int, *, plain: bool) -> Data | None:
    layout, form, n_samples = _Layout("big"), None, 0
    for name, content, size in layout.chunks(fd, position):
        if name == b"COMM" and plain:
            channels, n_samples, bits, exponent, mantissa = struct.unpack(">HIHHQ", os.pread(fd, 18, content).ljust(18))
            subtype = {1: "PCM_S8", 2: "PCM_16", 3: "PCM_24", 4: "PCM_32"}.get(-(-bits // 8))
            sample_rate = mantissa >> max(16446 - exponent, 0)  # an 80-bit float
            form = Plain(subtype, sample_rate, channels, "big") if subtype and channels else None
        elif name in (b"SSND", b"BODY"):
            before = 8 if name == b"SSND" else 0  # offset and block size
            data = _data(fd, content + before, max(size - before, 0), end, layout, form)
            if form and data.said and data.size < n_samples * form.frame_size:
                return Data(data.start, n_samples * form.frame_size, True, form, data.stop)
            return data
    return None


def _caf(fd: int, position: int, end: int) -> Data | None:
    layout, plain = _Layout("big", size_bytes=8, align=1), None
    for name, content, size in layout.chunks(fd, position):
        if name == b"desc":
            fields = os.pread(fd, 32, content).ljust(32)
            sample_rate, coding, flags, n_bytes, _, channels, _ = struct.unpack(">d4sIIIII", fields)
            names = {1: "PCM_S8", 2: "PCM_16", 3: "PCM_24", 4: "PCM_32"} if not flags & 1 else {4: "FLOAT", 8: "DOUBLE"}
            subtype = names.get(n_bytes // max(channels, 1)) if coding == b"lpcm" else None
            order: _ByteOrder = "little" if flags & 2 else "big"
            if subtype and channels and n_bytes % channels == 0 and 0 < sample_rate < 2**31:
                plain = Plain(subtype, int(sample_rate), channels, order)
        elif name == b"data":  # an edit count goes first
            return _data(fd, content + 4, max(size - 4, 0), end, layout, plain)
    return None


def _au(fd: int, head: bytes, start: int, end: int) -> Data | None:
    if len(head) < 24:
        return None
    order: _ByteOrder = "big" if head[:4] == b".snd" else "little"
    offset, size, code, sample_rate, channels = struct.unpack_from(">5I" if order == "big" else "<5I", head, 4)
    subtype = _AU_SUBTYPES.get(code)
    plain = Plain(subtype, sample_rate, channels, order) if subtype and channels else None
    return _data(fd, start + offset, size, end, _Layout(order, align=1), plain)


def _nist(fd: int, head: bytes, start: int, end: int) -> Data | None:
    fields = dict(re.findall(rb"^(\w+) -(?:i|r|s\d+) (\S{1,18})$", head, re.MULTILINE))
    try:
        keys = (b"sample_rate", b"sample_count", b"channel_count", b"sample_n_bytes")
        sample_rate, n_samples, channels, n_bytes = (int(fields[key]) for key in keys)
        first = start + int(head[8:16])
    except (KeyError, ValueError):
        return None
    pcm = {1: "PCM_S8", 2: "PCM_16", 3: "PCM_24", 4: "PCM_32"}.get(n_bytes)
    subtype = {b"ulaw": "ULAW", b"alaw": "ALAW"}.get(fields.get(b"sample_coding", b""), pcm)
    order: _ByteOrder = "big" if fields.get(b"sample_byte_format") == b"10" else "little"
    plain = Plain(subtype, sample_rate, channels, order) if subtype and channels else None
    layout = _Layout("little", size_bytes=8, align=1)
    return _data(fd, first, n_samples * channels * n_bytes, end, layout, plain)
