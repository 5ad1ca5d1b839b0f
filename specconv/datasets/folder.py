"""Any folder of audio: every file that libsndfile can read, with its parent folder as class."""

from __future__ import annotations

from pathlib import Path

from specconv.datasets.base import ClipRef, Dataset, Evidence, LabelValue, Skipped, readable
from specconv.datasets.scan import audio_files, first_audio

LABELS = {"label": str}


class FolderDataset(Dataset):
    """Recursive, any case of extension. A clip's id is its path from the root: no new file can change it.

    Every file is a clip, also where two have one name and differ in format only: nobody says here that they are
    one recording.
    """

    name = "folder"
    title = "a folder of audio"
    citation = "none: your own recordings"
    licence = "none: your own recordings"
    homepage = ""
    one_clip_a_name = False
    evidence = "any audio, the parent folder as its class"
    label_fields = LABELS

    def recognise(self, root: Path) -> Evidence | None:
        return Evidence(self.evidence, sum(1 for _ in first_audio(root)))

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
