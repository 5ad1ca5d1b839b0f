"""Any folder of audio: every file that libsndfile can read, with its parent folder as class."""

from __future__ import annotations

from pathlib import Path

from specconv.datasets.base import ClipRef, Dataset, LabelValue, Skipped, readable
from specconv.datasets.scan import audio_files

LABELS = {"label": str}


class FolderDataset(Dataset):
    """Recursive, any case of extension. A clip's id is its path from the root: no new file can change it."""

    name = "folder"
    title = "a folder of audio"
    citation = "none: your own recordings"
    licence = "none: your own recordings"
    homepage = ""
    label_fields = LABELS

    def recognise(self, root: Path) -> str | None:  # noqa: ARG002
        return "any audio, the parent folder as its class"

    def find(self, root: Path) -> tuple[list[ClipRef], list[Skipped]]:
        found, skipped = audio_files(root)
        classes: dict[str, dict[str, LabelValue]] = {}  # one for a folder, shared by its clips
        clips = []
        for path, relative, _ in found:
            folder = relative.rpartition("/")[0]
            if folder not in classes:
                name = folder.rpartition("/")[2] or root.resolve().name
                classes[folder] = {"label": readable(name)}
            clips.append(ClipRef(readable(relative), path, classes[folder]))
        return clips, skipped
