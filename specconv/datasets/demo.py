"""A small audio folder in each known layout, to try everything on.

    report = make_demo("demo/")

``piano_triads/``, ``maps/`` and ``musicnet/`` are what the corpora of those names look like on disk, played
by synthetic instruments: every label is true to the sound, and on one machine a seed makes the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import soundfile

from specconv.datasets.base import readable
from specconv.datasets.synthetic.maps import write_maps
from specconv.datasets.synthetic.musicnet import write_musicnet
from specconv.datasets.synthetic.piano_triads import write_piano_triads
from specconv.datasets.synthetic.writing import Written
from specconv.errors import OutputError, ParameterError
from specconv.storage import local_path

__all__ = ["SIZES", "DemoReport", "DemoSize", "make_demo"]

_MARK = "demo.json"  # what a folder made here holds, so that no one else's is written into


@dataclass(frozen=True)
class DemoSize:
    """triads: clips of each of the 48 chords (12 roots, 4 types). bars, pieces: of music. chords: of MAPS."""

    triads: int
    bars: int
    chords: int
    pieces: int


SIZES: Mapping[str, DemoSize] = {
    "tiny": DemoSize(triads=2, bars=2, chords=2, pieces=3),  # 96 triads; for tests
    "small": DemoSize(triads=6, bars=6, chords=6, pieces=6),  # 288
    "medium": DemoSize(triads=30, bars=12, chords=6, pieces=6),  # 1,440
    "full": DemoSize(triads=900, bars=24, chords=6, pieces=6),  # 43,200, as many as the corpus has: 5.5 GB
}


@dataclass(frozen=True)
class DemoReport:
    """What was made: clips, seconds of audio and bytes of each folder."""

    root: Path
    folders: Mapping[str, Written]


def make_demo(root: str | os.PathLike[str], *, seed: int = 0, size: str = "small") -> DemoReport:
    """Write the folders under ``root``; the same request again writes the same files again.

    size: tiny, small, medium or full. seed: another one, other music.
    Raises ParameterError on an unknown size, OutputError if ``root`` holds other things or is not writable.
    """
    root = local_path(root)
    if size not in SIZES:
        raise ParameterError(f"size: {size!r} is none of {', '.join(SIZES)}")
    wanted = {"seed": seed, "size": size}
    try:
        root.mkdir(parents=True, exist_ok=True)
        if any(root.iterdir()) and _mark(root) != wanted:
            raise OutputError(
                f"{readable(root)}: not empty, and not a demo of size {size} and seed {seed}; "
                "choose another folder or remove this one"
            )
        (root / _MARK).write_text(json.dumps(wanted) + "\n")
        chosen = SIZES[size]
        folders = {
            "piano_triads": write_piano_triads(root / "piano_triads", chosen.triads, seed),
            "maps": write_maps(root / "maps", chosen.bars, chosen.chords, seed),
            "musicnet": write_musicnet(root / "musicnet", chosen.bars, chosen.pieces, seed),
        }
    except (OSError, soundfile.LibsndfileError) as fault:
        raise OutputError(f"{readable(root)}: cannot be written: {fault}") from fault
    return DemoReport(root, folders)


def _mark(root: Path) -> object:
    try:
        return json.loads((root / _MARK).read_text())
    except (OSError, ValueError):
        return None
