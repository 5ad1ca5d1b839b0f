"""Text that is fit for a terminal, whoever wrote it."""

from __future__ import annotations


def one_line(text: str) -> str:
    """``text`` with what cannot be seen spelled out: a name may hold anything, also what moves a terminal's cursor."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def lines(text: str) -> str:
    """The same of each line."""
    return "\n".join(map(one_line, text.split("\n")))
