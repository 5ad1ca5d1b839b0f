"""Counting the frames of an MPEG audio stream (mp3), without decoding them.

An mp3 has no length of its own: a reader believes a Xing, Info or VBRI header in the first frame, or guesses
from the size of the file and the bit rate of the first frame. Walking from frame header to frame header
(about 0.5 µs each, 40 a second of audio) gives what is really there. Frame headers: ISO/IEC 11172-3, 2.4.1.3.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from specconv.audio.tags import after_tags

_WINDOW = 1 << 18
_SYNC = re.compile(rb"\xff[\xe2-\xff]")
_MARKS = re.compile(b"Xing|Info|VBRI")
_MARK_WITHIN = 64  # bytes of a frame in which its mark stands
_SILENT = bytes(6)  # of the side information, in a frame that holds a header in place of sound
_HEADER_WITHIN = 128  # ... and the numbers behind the mark
_BIT_RATES = {  # kbit/s by (MPEG 1, layer); index 0 is "free format", which gives no frame length
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


@dataclass(frozen=True, slots=True)
class FrameCount:
    """The frames of a stream.

    frames: whole frames of audio; samples_per_frame: of each channel.
    promised: frames that the stream's own header announces, None if it has no such header.
    cut: the stream ends within a frame. all_bytes: as many bytes are there as its header announces, if it does.
    following: the byte at which another stream begins, None if none does.
    """

    frames: int
    samples_per_frame: int
    promised: int | None
    cut: bool
    all_bytes: bool = True
    following: int | None = None


def _frame(header: bytes) -> tuple[int, int] | None:
    """(bytes, samples of a channel) of the frame that begins with these bytes; None if none does."""
    if len(header) < 3 or header[0] != 0xFF or header[1] < 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bit_rate_index, rate_index, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or rate_index == 3 or bit_rate_index in (0, 15):
        return None
    sample_rate = _SAMPLE_RATES[version][rate_index]
    bit_rate = 1000 * _BIT_RATES[version == 3, layer][bit_rate_index]
    if layer == 1:
        return 4 * (12 * bit_rate // sample_rate + padding), 384
    samples = 576 if layer == 3 and version != 3 else 1152
    return samples // 8 * bit_rate // sample_rate + padding, samples


def _kind(header: bytes) -> tuple[int, int, bool]:
    """Version, layer, sample rate and mono or not: what does not change within a stream."""
    return header[1] & 0xFE, header[2] & 0x0C, header[3] >> 6 == 3


def _announced(frame: bytes) -> tuple[int, int] | None:
    """(frames, bytes) announced by a Xing, Info or VBRI header in a stream's first frame; 0 bytes: not said."""
    mark = _MARKS.search(frame, 4, _MARK_WITHIN)
    if mark is None:
        return None
    fields = frame[mark.start() : mark.start() + 18].ljust(18, b"\0")
    if mark.group() == b"VBRI":
        return int.from_bytes(fields[14:18], "big"), int.from_bytes(fields[10:14], "big")
    if not fields[7] & 1:
        return None
    return int.from_bytes(fields[8:12], "big"), int.from_bytes(fields[12:16], "big") if fields[7] & 2 else 0


def frames_from(fd: int, position: int, most: int = 3) -> int:
    """Count frames of one kind, up to ``most``, that follow each other from byte ``position`` on."""
    first = os.pread(fd, 4, position)
    for n in range(most):
        header = os.pread(fd, 4, position)
        frame = _frame(header) if len(header) == 4 and _kind(header) == _kind(first) else None
        if frame is None:
            return n
        position += frame[0]
    return most


def count_frames(fd: int, start: int, size: int) -> FrameCount | None:
    """Walk the stream of file ``fd`` from byte ``start`` to ``size``, or to where another stream begins.

    None where no frame begins at ``start`` or its bit rate is "free". Bytes between frames are skipped. Another
    stream has another sample rate or number of channels, or a header of its own.
    """
    window, base = os.pread(fd, _WINDOW, start), start
    first = _frame(window) if len(window) >= 4 else None
    if first is None:
        return None
    kind, announced = _kind(window), _announced(window[: first[0]])
    lengths: dict[bytes, int] = {}  # of the frames by their first four bytes
    position, frames, following = start + first[0], int(start + first[0] <= size), None
    while position + 4 <= size:
        if position + _HEADER_WITHIN > base + len(window) and base + len(window) < size:
            window, base = os.pread(fd, _WINDOW, position), position
        header = window[position - base : position - base + 4]
        if header not in lengths:
            frame = _frame(header)
            if frame is None or _kind(header) != kind:
                position = _next_stream(fd, position, size, kind)
                if position < size and _kind(os.pread(fd, 4, position)) != kind:
                    following = position
                    break
                continue
            lengths[header] = frame[0]
        at = position - base
        if window[at + 6 : at + 12] == _SILENT and _announced(window[at : at + lengths[header]]) is not None:
            following = position
            break
        position += lengths[header]
        frames += position <= size
    promised, n_bytes = announced or (None, 0)
    all_bytes = start + n_bytes <= (size if following is None else following)
    audio = frames - (announced is not None)
    return FrameCount(audio, first[1], promised, position > size, all_bytes, following)


def _next_stream(fd: int, position: int, size: int, kind: tuple[int, int, bool]) -> int:
    """Where frames follow each other next, behind tags and rubbish; ``size`` if nowhere.

    Two of the same kind are enough, three of another: two may come about by chance.
    """
    position = after_tags(fd, position)
    while position < size:
        window = os.pread(fd, _WINDOW, position)
        for found in _SYNC.finditer(window):
            here = position + found.start()
            if frames_from(fd, here) >= (2 if _kind(os.pread(fd, 4, here).ljust(4)) == kind else 3):
                return here
        position += max(len(window) - 1, 1)
    return size
