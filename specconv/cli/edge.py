"""Where errors become a sentence on stderr and an exit status, once for all commands.

0 all done; 1 finished with faults, or stopped in mid-run; 2 the request is wrong and nothing was touched;
130 interrupted. A traceback is shown only with SPECCONV_DEBUG=1.
"""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec

import typer

from specconv.cli.interruption import interruption
from specconv.errors import ConfigError, Fault, ParameterError, ShardError, SpecconvError, SpecconvWarning
from specconv.messages import printable_lines
from specconv.storage import local_path

EXIT_DONE, EXIT_FAULTS, EXIT_WRONG_REQUEST = 0, 1, 2
DEBUG = "SPECCONV_DEBUG"

P = ParamSpec("P")


class StoppedError(SpecconvError):
    """What ended a run that had begun to write."""


def guarded(command: Callable[P, int]) -> Callable[P, None]:
    """A command for Typer: it leaves with the status that ``command`` returns, or that its error deserves."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            for value in kwargs.values():
                if isinstance(value, Path):
                    local_path(value)
            status = command(*args, **kwargs)
        except KeyboardInterrupt:
            status = interruption.STATUS  # the handler of the signal has spoken
        except Exception as error:
            if os.environ.get(DEBUG) == "1":
                raise
            complain(phrase(error))
            status = status_of(error)
        raise typer.Exit(status)

    return run


def status_of(error: Exception) -> int:
    if isinstance(error, SpecconvError) and not isinstance(error, (StoppedError, ShardError)):
        return EXIT_WRONG_REQUEST
    return EXIT_FAULTS


def phrase(error: Exception) -> str:
    """What the user reads of an error."""
    if isinstance(error, ParameterError):
        return listed("", error.faults)
    if isinstance(error, SpecconvError):
        return str(error)
    if isinstance(error, OSError):
        return str(error)
    if isinstance(error, MemoryError):
        return "the machine is out of memory; end other programs, or take a machine with more"
    what = " ".join(str(error).split())
    return (
        f"unexpected {type(error).__name__}{': ' if what else ''}{what}. This should not happen: please report it "
        f"to the maintainers of specconv, with the command and what it prints under {DEBUG}=1"
    )


def listed(source: str, faults: Sequence[Fault]) -> str:
    """Faults of one source: one in a sentence, many under a head line with their number, one a line."""
    if len(faults) == 1:
        said = str(faults[0])
        return said if not source or said.startswith(source) else f"{source}: {said}"
    head = f"{source}: {len(faults)} faults" if source else f"{len(faults)} faults"
    return "\n  ".join([head, *map(str, faults)])


@contextmanager
def faults_of(config: Path) -> Iterator[None]:
    """Config errors raised inside name the file that they are of."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(listed(str(config), error.faults)) from error


def complain(message: str) -> None:
    typer.echo(f"Error: {printable_lines(message)}", err=True)


def prepare_warnings() -> None:
    """Our own warnings are one line each, said once; those of libraries are for developers, with -W or DEBUG."""
    if sys.warnoptions or os.environ.get(DEBUG) == "1":
        return
    warnings.simplefilter("ignore")
    warnings.simplefilter("default", SpecconvWarning)
    # Python's own once-only forgets what was said whenever any library changes a filter.
    said: set[str] = set()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        if (line := printable_lines(str(message))) not in said:
            said.add(line)
            typer.echo(f"Warning: {line}", err=True)

    warnings.showwarning = show
    sys.unraisablehook = lambda _: None  # an interrupt that arrives in a destructor
