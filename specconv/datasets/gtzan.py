"""GTZAN: a thousand excerpts of 30 s in ten genres. ``jazz.00054`` is unreadable in a widespread copy."""

from __future__ import annotations

import re
from pathlib import Path

from specconv.datasets.base import ClipRef, Dataset, Evidence, Skipped
from specconv.datasets.scan import audio_files, named_like

CITATION = (
    "G. Tzanetakis, P. Cook: Musical genre classification of audio signals. IEEE Transactions on Speech and "
    "Audio Processing 10(5), 2002. doi:10.1109/TSA.2002.800560"
)
LICENCE = "none stated; the excerpts are from commercial recordings, for research only"
HOMEPAGE = "http://marsyas.info/downloads/datasets.html"

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
LABELS = {"genre": str, "number": int}
_NAME = re.compile(rf"(?P<genre>{'|'.join(GENRES)})\.(?P<number>\d{{5}})")


class Gtzan(Dataset):
    """``genres/<genre>/<genre>.00000.wav`` (or ``.au``); the name alone tells the genre."""

    name = "gtzan"
    title = "GTZAN genre collection"
    citation, licence, homepage = CITATION, LICENCE, HOMEPAGE
    label_fields = LABELS

    def recognise(self, root: Path) -> Evidence | None:
        return named_like(root, _NAME)

    def find(self, root: Path) -> tuple[list[ClipRef], list[Skipped]]:
        found, skipped = audio_files(root)
        clips = []
        for file in found:
            if name := _NAME.fullmatch(file.stem):
                labels = {"genre": name["genre"], "number": int(name["number"])}
                clips.append(ClipRef(file.stem, file.path, labels))
            else:
                skipped.append(Skipped(file.path, "not named <genre>.<five digits>, one of the ten genres"))
        return clips, skipped
