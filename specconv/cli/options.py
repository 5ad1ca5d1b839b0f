"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

STDOUT = Path("-")
PICTURES = (".png", ".pdf", ".svg")


def _writable(path: Path | None) -> Path | None:
    """Better now than after the work."""
    if path is not None and path != STDOUT:
        if path.is_dir():
            raise typer.BadParameter(f"{path} is a folder; name a file")
        if not path.absolute().parent.is_dir():
            raise typer.BadParameter(f"{path.absolute().parent} is no folder; make it first")
    return path


def _drawable(path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() not in PICTURES:
        raise typer.BadParameter(f"{path.name!r} ends in none of {', '.join(PICTURES)}")
    return _writable(path)


AudioFolder = Annotated[Path, typer.Argument(metavar="AUDIO_DIR", help="Folder of audio.", show_default=False)]
Config = Annotated[
    Path, typer.Option(metavar="FILE", help="YAML that says which spectrograms; see configs/.", show_default=False)
]
Dataset = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="auto (recognised by its files), folder, maps, musicnet, piano-triads, maestro, gtzan, esc-50 or "
        "speech-commands.",
    ),
]
Device = Annotated[str, typer.Option(metavar="NAME", help="auto (a GPU if there is one), cpu, cuda, cuda:N or mps.")]
Against = Annotated[
    list[str] | None,
    typer.Option(metavar="LIBRARY", help="librosa, torchaudio, nnaudio, nnaudio2 or kapre; may be repeated."),
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
