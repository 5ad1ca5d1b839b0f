"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from specconv.errors import ParameterError
from specconv.storage import local_path

STDOUT = Path("-")
PICTURES = (".png", ".pdf", ".svg")


def existing(path: Path) -> Path:
    """Refuse an address, and what does not exist."""
    _refuse_address(path)
    if not path.exists():
        raise typer.BadParameter(f"{str(path)!r} does not exist")
    return path


def _existing_folder(path: Path) -> Path:
    if not existing(path).is_dir():
        raise typer.BadParameter(f"{str(path)!r} is no folder")
    return path


def _refuse_address(path: Path) -> None:
    try:
        local_path(path)
    except ParameterError as error:
        raise typer.BadParameter(str(error)) from error


def _writable(path: Path | None) -> Path | None:
    """Better now than after the work."""
    if path is not None:
        _refuse_address(path)
    if path is not None and path != STDOUT:
        if path.is_dir():
            raise typer.BadParameter(f"{path} is a folder; name a file")
        if not path.absolute().parent.is_dir():
            raise typer.BadParameter(f"{path.absolute().parent} is no folder; make it first")
    return path


def _existing_or_ready(path: Path) -> Path:
    return path if str(path) in CONFIGS else existing(path)


def _drawable(path: Path | None) -> Path | None:
    _writable(path)
    if path is not None and path.suffix.lower() not in PICTURES:
        raise typer.BadParameter(f"{path.name!r} ends in none of {', '.join(PICTURES)}")
    return path


# What the help texts offer. They are written here, for --help must not wait for torch; a test holds them against the
# tables of configs, datasets, libraries, suites and sizes, and tries each.
CONFIGS = (
    *("cfp", "cqt", "gammatone", "kapre", "logstft", "maps"),
    *("mel", "mfcc", "musicnet34", "piano_triads", "stft", "vqt"),
)
DATASETS = ("folder", "maps", "musicnet", "piano-triads", "maestro", "gtzan", "esc-50", "speech-commands")
LIBRARIES = ("librosa", "torchaudio", "nnaudio", "nnaudio2", "kapre")
SUITES = ("maps", "musicnet")
SIZES = ("tiny", "small", "medium", "full")


def one_of(values: Sequence[str]) -> str:
    return f"{', '.join(values[:-1])} or {values[-1]}"


def completing(values: Sequence[str]) -> Callable[[str], list[str]]:
    """Return what a shell calls to complete one of ``values``."""

    def complete(incomplete: str) -> list[str]:
        return [value for value in values if value.startswith(incomplete)]

    return complete


AudioFolder = Annotated[Path, typer.Argument(metavar="AUDIO_DIR", help="Folder of audio.", show_default=False)]
ShardFolder = Annotated[
    Path, typer.Argument(metavar="DIR", callback=_existing_folder, help="Folder of shards.", show_default=False)
]
Config = Annotated[
    Path,
    typer.Option(
        metavar="FILE|NAME",
        help=f"YAML that says which spectrograms, or a ready one: {one_of(CONFIGS)}.",
        show_default=False,
        autocompletion=completing(CONFIGS),
    ),
]
Dataset = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help=f"auto (recognised by its files), {one_of(DATASETS)}.",
        autocompletion=completing(("auto", *DATASETS)),
    ),
]
Device = Annotated[str, typer.Option(metavar="NAME", help="auto (a GPU if there is one), cpu, cuda, cuda:N or mps.")]
Against = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LIBRARY", help=f"{one_of(LIBRARIES)}; may be repeated.", autocompletion=completing(LIBRARIES)
    ),
]
Described = Annotated[
    Path,
    typer.Argument(
        metavar="DIR|FILE|NAME",
        help="Folder of shards, shard, config, or name of a ready config.",
        callback=_existing_or_ready,
        show_default=False,
    ),
]
Json = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", callback=_writable, help="Write the result as JSON; - for stdout."),
]
Picture = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", callback=_drawable, help="Draw the result; png, pdf or svg.")
]
PictureFile = Annotated[
    Path,
    typer.Option(metavar="FILE", callback=_drawable, help="The picture: png, pdf or svg.", show_default=False),
]
