"""Audio piano triads: every major, minor, diminished and augmented triad of three octaves, 4 s each.

Names say everything: ``piano_<octave>_<root>_<type>_<dynamic>_<take>``. The 43,200 files of
``audio_augmented_x10/`` were made from the 4,320 of ``audio/`` and it is not documented which from which:
split by ``group``, or siblings of one recording land on both sides.
"""

from __future__ import annotations

import re
from pathlib import Path

from specconv.datasets.base import ClipRef, Dataset, Evidence, LabelValue, Skipped, readable
from specconv.datasets.scan import AudioFile, audio_files, named_like

CITATION = "A. Macaya Valladares et al.: Audio piano triads dataset. Zenodo. doi:10.5281/zenodo.4740877"
LICENCE = "as stated at https://doi.org/10.5281/zenodo.4740877"
HOMEPAGE = "https://doi.org/10.5281/zenodo.4740877"

LABELS = {"root": str, "chord": str, "octave": int, "dynamic": str, "take": int, "group": str}
ROOTS = ("Cn", "Df", "Dn", "Ef", "En", "Fn", "Gf", "Gn", "Af", "An", "Bf", "Bn")  # n natural, f flat
CHORDS = {"j": "major", "n": "minor", "d": "diminished", "a": "augmented"}
# Copies from before May 2021 write sharps, M and m.
_OLDER_ROOTS = {"Cs": "Df", "Ds": "Ef", "Fs": "Gf", "Gs": "Af", "As": "Bf"}
_OLDER_CHORDS = {"M": "major", "m": "minor"}

_OVERWRITTEN = "M or m, on a disk that ignores case: major and minor overwrote each other"

_NAME = re.compile(
    r"piano_(?P<octave>[234])_(?P<root>[CDFGA]s|[DEGAB]f|[A-G]n)_(?P<chord>[jndaMm])"
    r"_(?P<dynamic>[fmp]|mf)_(?P<take>\d{1,6})"
)


class PianoTriads(Dataset):
    """Labels: root (Cn, Df, ...), chord (major, minor, ...), octave, dynamic (f, m, p), take, group."""

    name = "piano-triads"
    title = "Audio piano triads"
    citation, licence, homepage = CITATION, LICENCE, HOMEPAGE
    label_fields = LABELS

    def recognise(self, root: Path) -> Evidence | None:
        return named_like(root, _NAME)

    def find(self, root: Path) -> tuple[list[ClipRef], list[Skipped]]:
        found, skipped = audio_files(root)
        clips = []
        case_is_lost: dict[Path, bool] = {}
        for file in found:
            name = _NAME.fullmatch(file.stem)
            if name is None:
                skipped.append(Skipped(file.path, "not named piano_<octave>_<root>_<type>_<dynamic>_<take>"))
                continue
            if name["chord"] in _OLDER_CHORDS:
                folder = file.path.parent
                if folder not in case_is_lost:
                    case_is_lost[folder] = _ignores_case(file)
                if case_is_lost[folder]:
                    skipped.append(Skipped(file.path, _OVERWRITTEN))
                    continue
            clips.append(ClipRef(readable(file.stem), file.path, _labels(name)))
        return clips, skipped


def _labels(name: re.Match[str]) -> dict[str, LabelValue]:
    root = _OLDER_ROOTS.get(name["root"], name["root"])
    chord = (CHORDS | _OLDER_CHORDS)[name["chord"]]
    octave, dynamic = int(name["octave"]), "m" if name["dynamic"] == "mf" else name["dynamic"]
    return {
        "root": root,
        "chord": chord,
        "octave": octave,
        "dynamic": dynamic,
        "take": int(name["take"]),
        "group": f"{octave}-{root}-{chord}-{dynamic}",
    }


def _ignores_case(file: AudioFile) -> bool:
    """Whether the file is also there under a name of another case."""
    other = file.path.with_name(file.path.name.swapcase())
    try:
        return file.path.samefile(other)
    except OSError:
        return False
