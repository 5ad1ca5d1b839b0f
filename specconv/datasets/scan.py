"""Which files of a tree are audio: fast, and safe in any tree.

Nothing is opened. A link to a file counts as that file. A link to a folder is not followed, so that a loop
or a link to ``/`` costs nothing. Pipes, sockets and devices are never touched: opening one can wait for ever.
"""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import soundfile

from specconv.datasets.base import Evidence, Skipped, readable

# libsndfile names formats; people name files. "raw" has no header: nobody could tell what is in it.
_FORMATS = {name.lower() for name in soundfile.available_formats()}
AUDIO_EXTENSIONS = frozenset(
    (_FORMATS - {"raw", "mat4", "mat5"})
    | set("wav wave flac ogg oga opus mp3 mp2 mp1 mpga aif aiff aifc au snd caf w64 rf64 sph sf iff".split())  # noqa: SIM905
)
# What libsndfile lacks. FFmpeg, the optional decoder of specconv.audio, reads the first.
FFMPEG_EXTENSIONS = frozenset(
    "m4a m4b m4r mp4 aac adts 3gp 3gpp 3g2 amr awb wma asf webm weba mka spx ape wv tta mpc mp+ mpp shn tak ra rm "  # noqa: SIM905
    "ac3 ec3 eac3 dts dtshd thd mlp dsf dff oma aa3 alac xwma".split()
)
UNKNOWN_EXTENSIONS = frozenset("aa aax m4p ofr ofs la pac qcp vqf tom dvf msv vox gsm g722 g729".split())  # noqa: SIM905
_FORMATS_EXTRA = "pip install 'specconv[formats]' adds a decoder"
DECODED_EXTENSIONS = AUDIO_EXTENSIONS | (FFMPEG_EXTENSIONS if find_spec("av") else frozenset())

_FIRST_FOLDERS, _FIRST_FILES = 500, 20_000  # how much of a tree is looked at to recognise a corpus


class AudioFile(NamedTuple):
    path: Path  # under the root as given
    relative: str  # from the root, with "/", as the file system has it
    stem: str  # the name without folder and extension, as the file system has it


def extension(name: str) -> str:
    """The part of a file name after its last dot, in lower case; empty for ``.wav`` and ``wav``."""
    stem, dot, suffix = name.rpartition(".")
    return suffix.lower() if dot and stem else ""


def audio_files(root: Path) -> tuple[list[AudioFile], list[Skipped]]:
    """Every file below ``root`` with an extension of audio, and what looks like one but cannot be used.

    Files without such an extension are passed over in silence; hidden folders (``.git``) with a word.
    The order is the file system's.
    """
    found: list[AudioFile] = []
    skipped: list[Skipped] = []
    pending = [""]
    while pending:
        folder = pending.pop()
        where = root / folder
        try:
            with os.scandir(where) as entries:
                for entry in entries:
                    try:
                        is_folder, reason = _judge(entry)
                    except OSError as fault:  # a link to itself, or gone since
                        is_folder, reason = False, f"cannot be looked at: {fault.strerror}"
                    name = entry.name
                    if reason:
                        skipped.append(Skipped(where / name, reason))
                    if is_folder:
                        pending.append(f"{folder}{name}/")
                    elif reason is None:
                        found.append(AudioFile(where / name, f"{folder}{name}", name.rpartition(".")[0]))
        except OSError as fault:
            skipped.append(Skipped(where, f"folder cannot be read: {fault.strerror}"))
    return found, skipped


def _judge(entry: os.DirEntry[str]) -> tuple[bool, str | None]:
    """(is a folder to look into, why it is no clip); None for a clip, "" for what nobody takes for one."""
    name, suffix = entry.name, extension(entry.name)
    is_audio = suffix in DECODED_EXTENSIONS
    if entry.is_dir(follow_symlinks=False):
        if name.startswith("."):
            return False, "hidden folder"
        return True, "a folder, though named like audio; its files count on their own" if is_audio else ""
    if entry.is_symlink() and entry.is_dir():
        return False, f"a link to a folder, not followed; give {readable(Path(entry.path).resolve())} itself"
    if not is_audio and suffix not in FFMPEG_EXTENSIONS | UNKNOWN_EXTENSIONS:
        return False, ""
    if name.startswith("._"):
        return False, "a resource fork left by macOS, not audio"
    if name.startswith("."):
        return False, "hidden file"
    if suffix in UNKNOWN_EXTENSIONS:
        return False, f"no decoder knows .{suffix}; convert it to wav or flac"
    if not is_audio:
        return False, f"libsndfile cannot decode .{suffix}; {_FORMATS_EXTRA}, or convert it to wav or flac"
    return False, None if entry.is_file() else _what_it_is(entry)


def _what_it_is(entry: os.DirEntry[str]) -> str:
    try:
        mode = entry.stat().st_mode
    except FileNotFoundError:
        return "a link to a file that does not exist"
    kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device") + ", never opened"


class Folder(NamedTuple):
    relative: str  # from the root, "." for the root
    path: Path
    files: list[str]  # names, sorted
    folders: list[str]


def first_folders(root: Path) -> Iterator[Folder]:
    """The folders of a tree, upper ones first, so few that recognising a corpus stays cheap."""
    pending = deque([""])
    folders_left, files_left = _FIRST_FOLDERS, _FIRST_FILES
    while pending and folders_left > 0 and files_left > 0:
        relative = pending.popleft()
        below: list[str] = []
        files: list[str] = []
        try:
            with os.scandir(root / relative) as entries:
                for entry in entries:
                    (below if entry.is_dir(follow_symlinks=False) else files).append(entry.name)
        except OSError:
            continue
        below = sorted(name for name in below if not name.startswith("."))
        yield Folder(relative.rstrip("/") or ".", root / relative, sorted(files), below)
        pending.extend(f"{relative}{name}/" for name in below)
        folders_left, files_left = folders_left - 1, files_left - len(files)


def is_audio_name(name: str) -> bool:
    """Whether a file of this name counts as audio."""
    return extension(name) in DECODED_EXTENSIONS and not name.startswith(".")


def named_like(root: Path, stem: re.Pattern[str]) -> Evidence | None:
    """The evidence of a corpus that is known by its file names, whatever their extension."""
    n_named, example = 0, ""
    for folder in first_folders(root):
        named = [name for name in folder.files if is_audio_name(name) and stem.fullmatch(name.rpartition(".")[0])]
        if named and not n_named:
            example = f"{readable(named[0])} in {readable(folder.relative)}"
        n_named += len(named)
    return Evidence(f"{n_named} names such as {example}", n_named) if n_named else None


def first_audio(root: Path) -> Iterator[Path]:
    """The audio files in the folders that ``first_folders`` gives."""
    for folder in first_folders(root):
        yield from (folder.path / name for name in filter(is_audio_name, folder.files))


def files_by_lower_name(folder: Path) -> dict[str, Path]:
    """The plain files of a folder by their name in lower case: labels are found in any case, as audio is."""
    try:
        with os.scandir(folder) as entries:
            names = sorted((entry.name for entry in entries if entry.is_file()), reverse=True)
    except OSError:
        return {}
    return {name.lower(): folder / name for name in names}
