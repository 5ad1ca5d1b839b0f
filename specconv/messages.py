"""How names and numbers look in a message, in one place for all."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return ``text`` with what cannot be seen spelled out: a name may hold anything, even what moves a cursor."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def printable_lines(text: str) -> str:
    """Return the same of each line."""
    return "\n".join(map(printable, text.split("\n")))


def byte_size(n_bytes: float) -> str:
    """Return a number of bytes in the unit that suits it, to three digits."""
    units = ["TiB", "GiB", "MiB", "KiB", "bytes"]
    while n_bytes >= 1000 and len(units) > 1:
        n_bytes /= 1024
        units.pop()
    return f"{n_bytes:.3g} {units[-1]}"
