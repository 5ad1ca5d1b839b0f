"""The commands under one name."""

from __future__ import annotations

from typing import Annotated

import typer

from specconv.cli.bench import bench
from specconv.cli.convert import convert
from specconv.cli.demo import demo
from specconv.cli.edge import guarded
from specconv.cli.info import info
from specconv.cli.plot import plot
from specconv.cli.sweep import sweep
from specconv.cli.verify import verify
from specconv.version import __version__

app = typer.Typer(
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"specconv {__version__}")
        raise typer.Exit


@app.callback()
def specconv(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Folders of audio become spectrograms: many kinds at once, exact, resumable, labelled.

    Exit status: 0 all done; 1 finished, but some clips failed or a check found a fault; 2 the request is wrong and
    nothing was touched; 130 interrupted, and the same command goes on.
    """


for _command in (convert, sweep, bench, verify, info, plot, demo):
    app.command()(guarded(_command))
