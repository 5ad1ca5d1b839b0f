"""Results on stdout: tables for readers, JSON for scripts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specconv.cli.edge import StoppedError
from specconv.cli.options import STDOUT
from specconv.cli.streams import lost_output
from specconv.messages import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 100  # characters of a table in a file or a pipe


def give(renderable: RenderableType, value: Any, file: Path | None) -> None:
    """Print the result of a command, unless the JSON of ``value`` takes its place on stdout; write that to ``file``.

    Raises StoppedError if the result could be written nowhere, or not to the file.
    """
    if file == STDOUT:
        _write(json.dumps(value, indent=1) + "\n")
    else:
        show(renderable)
    if file is None or file == STDOUT:
        if error := lost_output():
            raise StoppedError(f"the result could not be written to stdout: {error.strerror}")
        return
    try:
        file.write_text(json.dumps(value, indent=1) + "\n")
    except OSError as error:
        raise StoppedError(f"{file}: cannot be written: {error.strerror}; the result is on stdout") from error


def give_report(renderable: RenderableType, value: Any, file: Path | None) -> None:
    """``give`` for a command whose result is what it made: a table that nobody can read is no fault of it."""
    if file is None:
        show(renderable)
    else:
        give(renderable, value, file)


def show(renderable: RenderableType) -> None:
    """Print a table or text, at most as wide as the terminal, or WIDTH characters where there is none."""
    if isinstance(renderable, str):  # a terminal's own wrapping leaves a command fit to be copied
        _write(f"{printable(renderable)}\n")
        return
    from rich.console import Console

    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    console = Console(highlight=False, markup=False, width=None if known else WIDTH)
    with console.capture() as capture:
        console.print(renderable, crop=False)  # tables know the width, and facts need none
    _write("".join(line.rstrip() + "\n" for line in capture.get().splitlines()))


def facts(rows: Sequence[tuple[str, str]]) -> RenderableType:
    """Names and values, a line each. Lines are not wrapped, so a path can be copied or searched for."""
    from rich.console import Group
    from rich.text import Text

    width = max(len(name) for name, _ in rows)
    lines = [f"{name:{width}}  {printable(value)}" for name, value in rows]
    return Group(Text("\n".join(lines), no_wrap=True, overflow="ignore"))  # a Text alone would be wrapped


def columns(*titles: str, rows: Sequence[Sequence[str]]) -> RenderableType:
    """A table; a title that ends in ``>`` heads a column of numbers. The first and the last column may be wrapped."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title in titles:
        table.add_column(
            title.rstrip(">"),
            justify="right" if title.endswith(">") else "left",
            overflow="fold",
            no_wrap=title not in (titles[0], titles[-1]),
        )
    for row in rows:
        table.add_row(*map(printable, row))
    return table


def underflow(shares: Mapping[str, float | None]) -> list[tuple[str, str]]:
    """The row that warns of values too small for float16: transforms of which it loses 0.1 % or more."""
    lossy = [f"{share:.1%} of {name}" for name, share in shares.items() if share is not None and share >= 0.001]
    cure = "too small for float16; use scale: decibel or log, or shards.dtype: float32"
    return [("underflow", f"{', '.join(lossy)}: {cure}")] if lossy else []


def span(seconds: float) -> str:
    """A duration in the unit it is read in."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms" if seconds == 0 or seconds > 0.001 else "under 1 ms"
    if seconds < 100:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
