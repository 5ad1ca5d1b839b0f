"""Speech Commands: single words of one second by thousands of speakers."""

from __future__ import annotations

import re
from pathlib import Path

from specconv.datasets.base import ClipRef, Dataset, Evidence, LabelValue, Skipped, readable
from specconv.datasets.scan import audio_files, named_like
from specconv.errors import DatasetError

CITATION = (
    "P. Warden: Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition. 2018. "
    "https://arxiv.org/abs/1804.03209"
)
LICENCE = "Creative Commons Attribution 4.0, as stated in its README.md"
HOMEPAGE = "https://arxiv.org/abs/1804.03209"

LABELS = {"word": str, "speaker": str, "utterance": int, "split": str}
_NAME = re.compile(r"(?P<speaker>[0-9a-f]{6,8})_nohash_(?P<utterance>\d+)")
_LISTS = {"validation_list.txt": "validation", "testing_list.txt": "test"}


class SpeechCommands(Dataset):
    """``<word>/<speaker>_nohash_<n>.wav``. split: as the two lists beside the words say, else "train".

    A speaker says many words, so ids are paths. ``_background_noise_`` holds no words and is left out.
    """

    name = "speech-commands"
    title = "Speech Commands"
    citation, licence, homepage = CITATION, LICENCE, HOMEPAGE
    label_fields = LABELS

    def recognise(self, root: Path) -> Evidence | None:
        return named_like(root, _NAME)

    def find(self, root: Path) -> tuple[list[ClipRef], list[Skipped]]:
        found, skipped = audio_files(root)
        clips = []
        splits: dict[Path, dict[str, str]] = {}
        for file in found:
            name, folder = _NAME.fullmatch(file.stem), file.path.parent
            if name is None or folder == root:
                skipped.append(Skipped(file.path, "not named <word>/<speaker>_nohash_<n>"))
                continue
            if folder.parent not in splits:
                splits[folder.parent] = _splits(folder.parent)
            labels: dict[str, LabelValue] = {
                "word": readable(folder.name),
                "speaker": name["speaker"],
                "utterance": int(name["utterance"]),
                "split": splits[folder.parent].get(f"{folder.name}/{file.stem}", "train"),
            }
            clips.append(ClipRef(readable(file.relative), file.path, labels))
        return clips, skipped


def _splits(folder: Path) -> dict[str, str]:
    """The split of each ``word/name`` of the two lists, without extension: copies hold FLAC under names of WAV."""
    split_of: dict[str, str] = {}
    for name, split in _LISTS.items():
        path = folder / name
        if path.is_file():
            try:
                text = path.read_text(encoding="utf-8-sig", errors="replace").replace("\\", "/")
                split_of |= {name.strip().removeprefix("./").rpartition(".")[0]: split for name in text.splitlines()}
            except OSError as fault:
                raise DatasetError(f"{readable(path)}: {fault.strerror}") from fault
    return split_of
