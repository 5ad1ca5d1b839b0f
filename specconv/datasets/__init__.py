"""Clips and their labels, from a folder of audio or one of the known corpora.

    listing = open_dataset("data/")
    print(listing.dataset.title, listing.reason, len(listing.clips), len(listing.skipped))

A corpus is one module beside this one and one line in the table.
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path

from specconv.datasets.base import NOTE_DTYPE, ClipRef, Dataset, Listing, Skipped, readable
from specconv.datasets.esc50 import Esc50
from specconv.datasets.folder import FolderDataset
from specconv.datasets.gtzan import Gtzan
from specconv.datasets.maestro import Maestro
from specconv.datasets.maps import Maps
from specconv.datasets.musicnet import MusicNet
from specconv.datasets.piano_triads import PianoTriads
from specconv.datasets.speech_commands import SpeechCommands
from specconv.errors import DatasetError

__all__ = ["DATASETS", "NOTE_DTYPE", "ClipRef", "Dataset", "Listing", "Skipped", "open_dataset", "readable"]

_CORPORA = (Maps(), MusicNet(), PianoTriads(), Maestro(), Gtzan(), Esc50(), SpeechCommands())
DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (FolderDataset(), *_CORPORA)}


def open_dataset(root: str | os.PathLike[str], name: str = "auto") -> Listing:
    """The clips of a folder, by id, with what was skipped and why.

    name: one of DATASETS, or "auto": the one corpus that is recognised, else any folder of audio. The reason
    in the listing says in words what was seen.
    Raises DatasetError if there is no such folder or dataset, no clip, or more than one corpus to choose.
    """
    root = Path(root)
    if not root.is_dir():
        found = "a file, not a folder" if root.exists() else "no such folder"
        raise DatasetError(f"{readable(root)}: {found}; give the folder that holds the audio")
    try:
        os.scandir(root).close()
    except OSError as fault:
        raise DatasetError(f"{readable(root)}: {fault.strerror}") from fault
    if name != "auto":
        return Listing.of(_dataset(name), root, "as asked")
    evidence = {corpus.name: seen for corpus in _CORPORA if (seen := corpus.recognise(root))}
    if len(evidence) > 1:
        seen = "; ".join(f"{candidate}: {what}" for candidate, what in evidence.items())
        raise DatasetError(
            f"{readable(root)}: holds more than one dataset ({seen}); give the folder of one, its name, or "
            "name the dataset 'folder' to take all as plain audio"
        )
    for candidate, what in evidence.items():
        return Listing.of(DATASETS[candidate], root, what)
    folder = DATASETS["folder"]
    return Listing.of(folder, root, f"no known corpus: {folder.recognise(root)}")


def _dataset(name: str) -> Dataset:
    if name in DATASETS:
        return DATASETS[name]
    close = get_close_matches(name.lower().replace("_", "-"), DATASETS, n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    raise DatasetError(f"unknown dataset {name!r}{meant} There are auto, {', '.join(DATASETS)}")
