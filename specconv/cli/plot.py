"""``specconv plot``: specgrams of a folder of shards as a picture."""

from __future__ import annotations

from typing import Annotated

import typer

from specconv.cli.edge import EXIT_DONE
from specconv.cli.options import PictureFile, ShardFolder
from specconv.cli.results import show


def plot(
    folder: ShardFolder,
    to: PictureFile,
    clip: Annotated[
        str | None,
        typer.Option(metavar="ID", help="This clip; else one or some that stand for all.", show_default=False),
    ] = None,
) -> int:
    """Draw spectrograms of a folder of shards.

    Every transform of one clip, or several clips where there is a single transform.
    """
    from specconv.plot import draw

    drawn = draw(folder, to, clip=clip)
    show(f"{to}: {', '.join(drawn)}")
    return EXIT_DONE
