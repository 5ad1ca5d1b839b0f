"""Results on stdout: tables for readers, JSON for scripts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specconv.cli.edge import StoppedError
from specconv.cli.harmless import one_line
from specconv.cli.options import STDOUT

if TYPE_CHECKING:
    from rich.console import RenderableType


def give(renderable: RenderableType, value: Any, file: Path | None) -> None:
    """Print a result, unless the JSON of ``value`` takes its place on stdout; write that to ``file``, if any.

    Raises StoppedError if the file cannot be written.
    """
    if file == STDOUT:
        _write(json.dumps(value, indent=1) + "\n")
        return
    show(renderable)
    if file is None:
        return
    try:
        file.write_text(json.dumps(value, indent=1) + "\n")
    except OSError as error:
        raise StoppedError(f"{file}: cannot be written: {error.strerror}; the result is above") from error


def show(renderable: RenderableType) -> None:
    """Print a table or text, in the width it needs where no terminal limits it."""
    if isinstance(renderable, str):  # a terminal's own wrapping leaves a command fit to be copied
        _write(f"{one_line(renderable)}\n")
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 1000)
    with console.capture() as capture:
        console.print(renderable)
    _write("".join(line.rstrip() + "\n" for line in capture.get().splitlines()))


def facts(rows: Sequence[tuple[str, str]]) -> RenderableType:
    """Names and values in two columns."""
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in rows:
        table.add_row(name, one_line(value))
    return table


def columns(*titles: str, rows: Sequence[Sequence[str]]) -> RenderableType:
    """A table; a title that ends in ``>`` heads a column of numbers."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        table.add_column(title.rstrip(">"), justify="right" if title.endswith(">") else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(one_line, row))
    return table


def underflow(shares: Mapping[str, float | None]) -> list[tuple[str, str]]:
    """The row that warns of values too small for float16: transforms of which it loses 0.1 % or more."""
    lossy = [f"{share:.1%} of {name}" for name, share in shares.items() if share is not None and share >= 0.001]
    cure = "too small for float16; use scale: decibel or log, or shards.dtype: float32"
    return [("underflow", f"{', '.join(lossy)}: {cure}")] if lossy else []


def size(n_bytes: float) -> str:
    units = ["TiB", "GiB", "MiB", "KiB", "bytes"]
    while n_bytes >= 1000 and len(units) > 1:
        n_bytes /= 1024
        units.pop()
    return f"{n_bytes:.3g} {units[-1]}"


def span(seconds: float) -> str:
    """A duration in the unit it is read in."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"


def _write(text: str) -> None:
    """To stdout. Where nobody reads any more (``| head``) the rest is not worth a word."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
