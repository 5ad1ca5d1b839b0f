"""ESC-50: 2,000 environmental sounds of 5 s in 50 classes and five folds."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from specconv.datasets.base import ClipRef, Dataset, Evidence, LabelValue, Skipped
from specconv.datasets.scan import audio_files, named_like
from specconv.errors import DatasetError

CITATION = (
    "K. J. Piczak: ESC: Dataset for Environmental Sound Classification. Proceedings of the 23rd ACM International "
    "Conference on Multimedia, 2015. doi:10.1145/2733373.2806390"
)
LICENCE = "Creative Commons Attribution Non-Commercial, as stated on its page"
HOMEPAGE = "https://github.com/karolpiczak/ESC-50"

LABELS = {"category": str, "target": int, "fold": int, "source": int, "take": str}
_NAME = re.compile(r"(?P<fold>[1-5])-(?P<source>\d+)-(?P<take>[A-Z])-(?P<target>\d{1,2})")


class Esc50(Dataset):
    """``audio/<fold>-<source>-<take>-<target>.wav``; the category's word is in ``meta/esc50.csv``, "" without.

    Clips of one source are in one fold: split by fold.
    """

    name = "esc-50"
    title = "ESC-50, environmental sounds"
    citation, licence, homepage = CITATION, LICENCE, HOMEPAGE
    label_fields = LABELS

    def recognise(self, root: Path) -> Evidence | None:
        return named_like(root, _NAME)

    def find(self, root: Path) -> tuple[list[ClipRef], list[Skipped]]:
        found, skipped = audio_files(root)
        clips = []
        words: dict[Path, dict[int, str]] = {}
        for file in found:
            name = _NAME.fullmatch(file.stem)
            if name is None:
                skipped.append(Skipped(file.path, "not named <fold>-<source>-<take>-<target>"))
                continue
            folder = file.path.parent
            if folder not in words:
                words[folder] = {} if folder == root else _categories(folder.parent / "meta" / "esc50.csv")
            target = int(name["target"])
            labels: dict[str, LabelValue] = {
                "category": words[folder].get(target, ""),
                "target": target,
                "fold": int(name["fold"]),
                "source": int(name["source"]),
                "take": name["take"],
            }
            clips.append(ClipRef(file.stem, file.path, labels))
        return clips, skipped


def _categories(table: Path) -> dict[int, str]:
    if not table.is_file():
        return {}
    try:
        with table.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            return {int(row["target"]): row["category"] for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as fault:
        raise DatasetError(f"{table}: no table of target and category: {fault!r}") from fault
