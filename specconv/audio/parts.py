"""The parts of a file: one, or several files that somebody joined end to end (``cat``, a radio stream kept).

libsndfile reads the first part of such a file and says nothing of the others. A container with a length ends
where it says. Ogg and FLAC end where the next one begins; that is looked for only when it is needed.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from specconv.audio.containers import MAGIC, Plain, read_data
from specconv.audio.mpeg import count_frames, frames_from
from specconv.audio.tags import after_tags
from specconv.audio.truncation import BadLengthError, check_data, check_mpeg, check_ogg

_WINDOW = 1 << 20
_OVERLAP = 32
_OGG_FIRST_PAGE = re.compile(rb"OggS\0[\2\3\6\7]")
_FLAC_BUFFER = 1 << 16  # libFLAC's has 8 KiB
_FLAC = re.compile(rb"fLaC[\0\x80]\0\0\x22")
NEXT_HEADER = {"little": re.compile(b"WAVEfmt "), "big": re.compile(b"AIFFCOMM")}  # one word: a search is fast
_MOST_UNSAID = 1 << 31  # bytes of coded samples that libsndfile reads where no length is said


@dataclass(frozen=True, slots=True)
class Part:
    """One file within the file.

    start: first byte. stop: the byte behind its last, or the file's end where its decoder stops by itself.
    least: samples that its decoder must find at least, 0 if unknown. guessed: the decoder may guess its length.
    plain: how to read the bytes where no header says their number; else None.
    name: in front of what is wrong with it, empty for the first.
    """

    start: int
    stop: int
    least: int = 0
    guessed: bool = False
    plain: Plain | None = None
    name: str = ""


def parts(fd: int, size: int) -> Iterator[Part]:
    """The parts of the file ``fd`` of ``size`` bytes, at least one.

    Raises BadLengthError where a part holds less than its header promises, or more than its header can say.
    """
    following: int | None = 0
    for number in itertools.count(1):
        if following is None:
            return
        begin = after_tags(fd, following)
        name = f"part {number} of the joined file, from byte {begin} on: " if number > 1 else ""
        magic = os.pread(fd, 4, begin)
        if magic == b"OggS":
            kind = _ogg
        elif magic == b"fLaC":
            kind = _flac
        else:
            kind = _mpeg if magic[:1] == b"\xff" else _container
        try:
            following = yield from kind(fd, begin, size, name)
        except BadLengthError as wrong:
            raise BadLengthError(f"{name}{wrong}") from None


def find(fd: int, pattern: re.Pattern[bytes], start: int, stop: int) -> int | None:
    """Where the bytes of ``pattern`` begin first, from ``start`` on and before ``stop``."""
    for at in range(start, stop, _WINDOW):
        window = os.pread(fd, min(_WINDOW, stop - at) + _OVERLAP, at)
        found = pattern.search(window)
        if found is not None:
            return at + found.start() if at + found.start() < stop else None
    return None


def _ogg(fd: int, start: int, size: int, name: str) -> Generator[Part, None, int | None]:
    check_ogg(fd, start, size)
    yield Part(start, size, name=name)
    position = start
    while _OGG_FIRST_PAGE.match(page := os.pread(fd, 27 + 255, position)):  # one for each stream that runs beside
        n_lacing = page[26] if len(page) > 26 else 0
        position += 27 + n_lacing + sum(page[27 : 27 + n_lacing])
    following = find(fd, _OGG_FIRST_PAGE, position, size)
    if following is not None:
        check_ogg(fd, start, following)
    return following


def _flac(fd: int, start: int, size: int, name: str) -> Generator[Part, None, int | None]:
    length = os.pread(fd, 5, start + 21)
    if len(length) == 5 and (length[0] & 0x0F or any(length[1:])):
        yield Part(start, size, name=name)
        read = os.lseek(fd, 0, os.SEEK_CUR)  # by the decoder of the first part, a little beyond what it gave
        return find(fd, _FLAC, max(start + 42, read - _FLAC_BUFFER), size)
    following = find(fd, _FLAC, start + 42, size)  # its decoder would go on into the next part
    yield Part(start, size if following is None else following, name=name)
    return following


def _mpeg(fd: int, start: int, size: int, name: str) -> Generator[Part, None, int | None]:
    count = count_frames(fd, start, size)
    if count is None:
        yield Part(start, size, name=name)
        return None
    check_mpeg(count)
    stop = size if count.following is None else count.following
    # what decoders drop is at most 529 + 4095 + 4095 samples, by the delay and padding of a LAME header
    least = count.frames * count.samples_per_frame - 8719 - count.samples_per_frame
    yield Part(start, stop, max(least, 0), guessed=True, name=name)
    return count.following


def _container(fd: int, start: int, size: int, name: str) -> Generator[Part, None, int | None]:
    data = read_data(fd, start, size)
    if data is None:
        yield Part(start, size, name=name)
        return None
    following = after_tags(fd, data.stop) if data.stop < size else size
    if following < size and (os.pread(fd, 4, following) in MAGIC or frames_from(fd, following) == 3):
        check_data(fd, data, following, following)
    else:
        check_data(fd, data, data.stop, size)
        following = size
    if data.said:
        least = data.size // data.plain.frame_size if data.plain else 0
        yield Part(start, following, least, name=name)
    elif data.plain:
        yield Part(data.start, data.start + data.size, plain=data.plain, name=name)
    elif data.size > _MOST_UNSAID:
        found = f"its header cannot say how long the {data.size} bytes of coded samples are"
        raise BadLengthError(f"{found}; convert it with another tool (ffmpeg -i old.wav new.flac)")
    else:
        yield Part(start, size, name=name)
    return following if following < size else None
