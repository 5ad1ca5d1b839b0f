"""``specconv demo``: a small audio folder in each layout, to try everything on."""

from __future__ import annotations

from pathlib import Path
from shlex import join
from typing import Annotated

import typer

from specconv.cli.edge import EXIT_DONE
from specconv.cli.options import SIZES, completing, one_of
from specconv.cli.results import facts, show, span
from specconv.messages import byte_size


def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New or empty folder.", show_default=False)],
    size_name: Annotated[
        str, typer.Option("--size", metavar="NAME", help=f"{one_of(SIZES)} (5.5 GB).", autocompletion=completing(SIZES))
    ] = "small",
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Another number makes other music.")] = 0,
) -> int:
    """Write a small audio folder in each known layout."""
    from specconv.datasets.demo import make_demo

    report = make_demo(folder, seed=seed, size=size_name)
    rows = [
        (str(report.root / name), f"{made.clips:,} clips, {span(made.seconds)}, {byte_size(made.size)}")
        for name, made in report.folders.items()
    ]
    show(facts(rows))
    triads, shards = str(report.root / "piano_triads"), str(report.root / "shards")
    show(f"Next: {join(['specconv', 'convert', triads, '--config', 'piano_triads', '--out', shards])}")
    return EXIT_DONE
