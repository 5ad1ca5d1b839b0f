"""Clips and their labels, from a folder of audio or one of the known corpora.

    listing = open_dataset("data/")
    print(listing.dataset.title, listing.reason, len(listing.clips), len(listing.skipped))

A corpus is one module beside this one and one line in the table.
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path

from specconv.datasets.base import ClipRef, Dataset, Evidence, Listing, Skipped, readable
from specconv.datasets.esc50 import Esc50
from specconv.datasets.folder import FolderDataset
from specconv.datasets.gtzan import Gtzan
from specconv.datasets.maestro import Maestro
from specconv.datasets.maps import Maps
from specconv.datasets.musicnet import MusicNet
from specconv.datasets.piano_triads import PianoTriads
from specconv.datasets.scan import first_audio
from specconv.datasets.speech_commands import SpeechCommands
from specconv.errors import DatasetError
from specconv.notes import NOTE_DTYPE
from specconv.storage import local_path

__all__ = ["DATASETS", "NOTE_DTYPE", "ClipRef", "Dataset", "Evidence", "Listing", "Skipped", "open_dataset", "readable"]

_CORPORA = (Maps(), MusicNet(), PianoTriads(), Maestro(), Gtzan(), Esc50(), SpeechCommands())
_LARGE_SHARE = 0.1  # of the audio files; as many of a second corpus are a question to the user
DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (FolderDataset(), *_CORPORA)}


def open_dataset(root: str | os.PathLike[str], name: str = "auto") -> Listing:
    """The clips of a folder, by id, with what was skipped and why.

    name: one of DATASETS, or "auto": the corpus that more than half of the audio files belong to by their names,
    or a tenth by a table of the corpus; else any folder of audio. The reason in the listing says what was seen;
    files that are no clips of the corpus are skipped.
    Raises ParameterError for an address (s3://…), DatasetError if there is no such folder or dataset, no clip, or more
    than one corpus to choose.
    """
    root = local_path(root)
    if not root.is_dir():
        found = "a file, not a folder" if root.exists() else "no such folder"
        raise DatasetError(f"{readable(root)}: {found}; give the folder that holds the audio")
    try:
        os.scandir(root).close()
    except OSError as fault:
        raise DatasetError(f"{readable(root)}: {fault.strerror}") from fault
    if name != "auto":
        return Listing.of(_dataset(name), root, "as asked")
    return _recognised(root)


def _recognised(root: Path) -> Listing:
    """The clips of the corpus that the audio belongs to, else of any folder."""
    evidence = {corpus.name: found for corpus in _CORPORA if (found := corpus.recognise(root))}
    n_audio = sum(1 for _ in first_audio(root))
    has_table = any(DATASETS[name].has_table and it.files >= _LARGE_SHARE * n_audio for name, it in evidence.items())
    if not has_table and 2 * sum(it.files for it in evidence.values()) <= n_audio:
        reasons = [f"no known corpus: {FolderDataset.evidence}"]
        reasons += [f"{it.words}: too few of {n_audio} audio files for {name}" for name, it in evidence.items()]
        return Listing.of(DATASETS["folder"], root, "; ".join(reasons))
    most = max(evidence, key=lambda name: evidence[name].files)
    if any(it.files >= _LARGE_SHARE * n_audio for name, it in evidence.items() if name != most):
        seen = "; ".join(f"{name}: {it.words}" for name, it in evidence.items())
        raise DatasetError(
            f"{readable(root)}: holds more than one dataset ({seen}); give the folder of one, its name, or "
            "name the dataset 'folder' to take all as plain audio"
        )
    return Listing.of(DATASETS[most], root, evidence[most].words)


def _dataset(name: str) -> Dataset:
    if name in DATASETS:
        return DATASETS[name]
    close = get_close_matches(name.lower().replace("_", "-"), DATASETS, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    raise DatasetError(f"unknown dataset {name!r}; {meant}choose from auto, {', '.join(DATASETS)}")
