"""Whether a file was cut short, as its container tells.

libsndfile reads a cut WAV, AIFF, AU, W64, CAF, NIST, Ogg or MP3 up to where it ends and says nothing, so
shortened audio would pass for whole. Here the length that the container promises is compared with the
bytes that are there. FLAC needs nothing: its decoder fails, or finds fewer samples than promised.
"""

from __future__ import annotations

import os

from specconv.audio.containers import Data
from specconv.audio.mpeg import FrameCount
from specconv.audio.tags import TAGS

_TAIL = 1 << 17  # an Ogg page has at most 65,307 bytes
_MOST_RUBBISH = 1 << 10  # bytes behind the samples that may be anything
_COPY_AGAIN = "the file was cut short: copy it again, or rewrite it with a true header to keep what is there"
TRUE_HEADER = "rewrite it with a true header (ffmpeg -i old.mp3 -c copy new.mp3)"


class BadLengthError(Exception):
    """The file holds less than it promises, or more than its header can say; the message is the reason."""


def check_data(fd: int, data: Data, stop: int, end: int) -> None:
    """Raise BadLengthError if not all promised samples are there, or other bytes follow where the container stops."""
    frame_size = data.plain.frame_size if data.plain else 1
    unit = "samples" if data.plain else "bytes of samples"
    promised, found = data.size // frame_size, (end - data.start) // frame_size
    if found < promised:
        raise BadLengthError(f"the header promises {promised} {unit}, {max(found, 0)} are there; {_COPY_AGAIN}")
    behind = end - stop
    if behind > _MOST_RUBBISH and not os.pread(fd, 8, stop).startswith(TAGS) and not _is_zeros(fd, stop, end):
        found_there = f"the header promises {promised} {unit}, and {behind} bytes of no known kind follow"
        raise BadLengthError(f"{found_there}; rewrite the file with a true header (sox --ignore-length)")


def _is_zeros(fd: int, start: int, stop: int) -> bool:
    """Whether these bytes are padding: zeros. The last ones show soonest that they are not."""
    windows = (os.pread(fd, min(_TAIL, stop - at), at) for at in reversed(range(start, stop, _TAIL)))
    return all(window.count(0) == len(window) for window in windows)


def check_ogg(fd: int, start: int, end: int) -> None:
    """Raise BadLengthError if the Ogg stream in these bytes does not end as a stream ends."""
    tail_start = max(end - _TAIL, start)
    tail = os.pread(fd, end - tail_start, tail_start)
    page = tail.rfind(b"OggS\x00")
    if page < 0:
        return
    header = tail[page : page + 27]
    lacing = tail[page + 27 : page + 27 + header[26]] if len(header) == 27 else b""
    whole = len(header) == 27 and len(lacing) == header[26]
    if not whole or page + 27 + len(lacing) + sum(lacing) > len(tail):
        raise BadLengthError(f"its last Ogg page goes beyond the last of {end} bytes; {_COPY_AGAIN}")
    if not header[5] & 4:
        raise BadLengthError(f"its last Ogg page is not marked as the end of the stream; {_COPY_AGAIN}")


def check_mpeg(count: FrameCount) -> None:
    """Raise BadLengthError if frames are missing."""
    if count.promised is None:
        if count.cut:
            raise BadLengthError(f"it ends within MPEG frame {count.frames + 1}; {_COPY_AGAIN}")
        return
    # some encoders count the header's own frame, so that one seems to miss of a file that has all of its bytes
    tolerated = 1 if count.all_bytes and not count.cut else 0
    found = f"the header promises {count.promised} MPEG frames, {count.frames} are there"
    if count.frames + tolerated < count.promised:
        raise BadLengthError(f"{found}; {_COPY_AGAIN}")
    if count.frames > count.promised + 1:
        raise BadLengthError(f"{found}; {TRUE_HEADER}")
