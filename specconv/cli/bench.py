"""``specconv bench``: a published experiment on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from specconv.cli.edge import EXIT_DONE, EXIT_FAULTS
from specconv.cli.options import SUITES, Against, Device, Json, Picture, completing, one_of
from specconv.cli.results import give


def bench(
    suite: Annotated[
        str,
        typer.Argument(
            metavar="SUITE", help=f"{one_of(SUITES)}.", show_default=False, autocompletion=completing(SUITES)
        ),
    ],
    scale: Annotated[
        Literal["quick", "paper"],
        typer.Option(metavar="SCALE", help="quick, a minute or two on two cores; or paper, the published size."),
    ] = "quick",
    audio: Annotated[
        Path | None,
        typer.Option(metavar="AUDIO_DIR", help="The corpus; else audio like it is made.", show_default=False),
    ] = None,
    device: Device = "auto",
    against: Against = None,
    json: Json = None,
    plot: Picture = None,
) -> int:
    """Repeat a published experiment on this machine.

    Beside the libraries of the paper, unless --against names others.
    """
    from specconv.bench import draw, run_suite, tables
    from specconv.cli.progress import doing
    from specconv.pipeline import choose_device

    with doing() as say:
        report = run_suite(
            suite,
            scale=scale,
            audio=audio,
            device=str(choose_device(device)),
            against=against,
            progress=say,
        )
    give(tables(report), report.as_json(), json)
    if plot is not None:
        draw(report, plot)
    return EXIT_FAULTS if any(row.is_wrong and row.is_ours for row in report.rows) else EXIT_DONE
