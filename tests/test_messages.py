from __future__ import annotations

import pytest

from specconv.messages import printable, printable_lines


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("größer 音楽 🎹 …", "größer 音楽 🎹 …"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\u202egnp.wav", r"\u202egnp.wav"),
        ("\udcff.wav", r"\udcff.wav"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(text: str, told: str) -> None:
    assert printable(text) == told
    assert printable(told) == told


def test_lines_stay_lines() -> None:
    assert printable_lines("one\n  two\x07\n") == "one\n  two\\x07\n"
