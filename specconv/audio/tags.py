"""Tags in front of, behind and between the streams of a file: ID3, APE and Lyrics3."""

from __future__ import annotations

import os

TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICS")
_MOST_TAGS = 1 << 10


def after_tags(fd: int, position: int) -> int:
    """Return the first byte behind the tags, if any, that begin at byte ``position``."""
    for _ in range(_MOST_TAGS):
        begin = os.pread(fd, 32, position)
        if begin[:3] == b"ID3" and len(begin) >= 10:
            size = sum((byte & 0x7F) << shift for byte, shift in zip(begin[6:10], (21, 14, 7, 0), strict=True))
            position += 10 + size + (10 if begin[5] & 0x10 else 0)  # with a footer
        elif begin[:3] == b"TAG":
            position += 128
        elif begin[:8] == b"APETAGEX" and len(begin) == 32:
            has_header = begin[23] & 0x20  # this is the header, else the footer of a tag without one
            position += 32 + (int.from_bytes(begin[12:16], "little") if has_header else 0)
        else:
            break
    return position
