"""Hostile trees: what is audio is found, what is not is named, nothing is opened, nothing hangs."""

from __future__ import annotations

import os
import socket
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from specconv.datasets import open_dataset, readable
from specconv.datasets.scan import AUDIO_EXTENSIONS, audio_files, extension

NFC, NFD = "é.wav", unicodedata.normalize("NFD", "é.wav")


def listed(root: Path) -> tuple[list[str], dict[str, str]]:
    """Relative paths of the clips, and of what was skipped with the reason."""
    found, skipped = audio_files(root)
    return sorted(file.relative for file in found), {str(skip.path.relative_to(root)): skip.reason for skip in skipped}


@pytest.mark.parametrize(
    "name",
    [
        "with space.wav",
        "two\nlines.wav",
        NFC,
        NFD,
        "-rf.wav",
        "100%s%n.wav",
        "n" * 246 + ".wav",
        "UPPER.WAV",
        "Mixed.FlAc",
        "back\\slash.wav",
        "a.b.c.mp3",
        "\u202egnp.wav",
        "'quoted\".opus",
        "$(touch x).aiff",
        "no space at end .oga",
    ],
)
def test_any_name_is_a_clip(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    clip = open_dataset(tmp_path).clips[0]
    assert clip.path == tmp_path / name
    assert clip.id == name.replace("\\", "\\\\")


def test_both_forms_of_unicode_are_two_clips(tmp_path: Path) -> None:
    for name in (NFC, NFD):
        (tmp_path / name).touch()
    assert {clip.id for clip in open_dataset(tmp_path).clips} == {NFC, NFD}


def test_names_that_are_no_text_are_clips_with_readable_ids(tmp_path: Path) -> None:
    names = (b"bad\xff.wav", b"bad\xfe.wav", rb"bad\xff.wav")
    (tmp_path / os.fsdecode(b"caf\xe9")).mkdir()
    for name in (*names, b"caf\xe9/x.wav"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
    clips = open_dataset(tmp_path).clips
    assert [clip.id for clip in clips] == [r"bad\\xff.wav", r"bad\xfe.wav", r"bad\xff.wav", r"caf\xe9/x.wav"]
    assert clips[3].labels == {"label": r"caf\xe9"}
    assert all(clip.path.is_file() for clip in clips)


@given(st.binary(min_size=1, max_size=8), st.binary(min_size=1, max_size=8))
def test_readable_is_text_and_tells_names_apart(one: bytes, other: bytes) -> None:
    texts = [readable(os.fsdecode(name)) for name in (one, other)]
    assert all(text.encode() for text in texts)
    assert (texts[0] == texts[1]) == (one == other)


def test_pipes_sockets_and_devices_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    os.mkfifo(tmp_path / "pipe.txt")  # nobody would take it for audio
    (tmp_path / "zero.wav").symlink_to("/dev/zero")
    (tmp_path / "to_pipe.wav").symlink_to("pipe.wav")
    monkeypatch.chdir(tmp_path)  # a socket's path may only be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.wav")
        assert listed(tmp_path) == (
            [],
            {
                "pipe.wav": "a named pipe, never opened",
                "socket.wav": "a socket, never opened",
                "to_pipe.wav": "a named pipe, never opened",
                "zero.wav": "a device, never opened",
            },
        )


def test_links(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    (outside / "deep").mkdir(parents=True)
    (outside / "x.wav").touch()
    (root / "sub").mkdir(parents=True)
    (root / "sub/a.wav").touch()
    (root / "sub/up").symlink_to("..")
    (root / "sub/all").symlink_to("/")
    (root / "away").symlink_to(outside)
    (root / "same.wav").symlink_to("sub/a.wav")
    (root / "other.wav").symlink_to(outside / "x.wav")
    (root / "gone.wav").symlink_to("nothing")
    (root / "itself.wav").symlink_to("itself.wav")
    clips, skipped = listed(root)
    assert clips == ["other.wav", "same.wav", "sub/a.wav"]
    assert skipped.keys() == {"sub/up", "sub/all", "away", "gone.wav", "itself.wav"}
    assert skipped["away"] == f"a link to a folder, not followed; give {outside} itself"
    assert skipped["gone.wav"] == "a link to a file that does not exist"
    assert "cannot be looked at" in skipped["itself.wav"]


def test_folders_named_like_audio_and_hidden_things(tmp_path: Path) -> None:
    for name in ("x.wav/inner.wav", ".git/annex.wav", "__MACOSX/._a.wav", ".hidden.wav", "a.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert listed(tmp_path) == (
        ["a.wav", "x.wav/inner.wav"],
        {
            ".git": "hidden folder",
            ".hidden.wav": "hidden file",
            "__MACOSX/._a.wav": "a resource fork left by macOS, not audio",
            "x.wav": "a folder, though named like audio; its files count on their own",
        },
    )


def test_audio_that_cannot_be_decoded_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specconv.datasets.scan.DECODED_EXTENSIONS", AUDIO_EXTENSIONS)  # no optional decoder
    for name in ("a.m4a", "b.WMA", "d.aax", "c.txt", "wav", ".wav", "d.raw", "e.wav "):
        (tmp_path / name).touch()
    cure = "pip install 'specconv[formats]' adds a decoder, or convert it to wav or flac"
    clips, skipped = listed(tmp_path)
    assert clips == []
    assert skipped == {
        "a.m4a": f"libsndfile cannot decode .m4a; {cure}",
        "b.WMA": f"libsndfile cannot decode .wma; {cure}",
        "d.aax": "no decoder knows .aax; convert it to wav or flac",
    }


def test_unreadable_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked/a.wav").touch()
    (tmp_path / "b.wav").touch()
    real = os.scandir

    def scandir(path: Path) -> object:  # file modes mean nothing to root
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("specconv.datasets.scan.os.scandir", scandir)
    assert listed(tmp_path) == (["b.wav"], {"locked": "folder cannot be read: Permission denied"})
    assert [clip.id for clip in open_dataset(tmp_path).clips] == ["b.wav"]


@pytest.fixture
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, int], Path]]:
    """Makes a folder in a folder in a folder, and takes it away by steps, as no recursion could."""
    depth = 0
    monkeypatch.chdir(tmp_path)

    def dig(name: str, times: int) -> Path:
        nonlocal depth
        for depth in range(1, times + 1):  # noqa: B007
            Path(name).mkdir()
            os.chdir(name)
        Path("a.wav").touch()
        return tmp_path

    yield dig
    for _ in range(depth):
        Path("a.wav").unlink(missing_ok=True)
        os.chdir("..")
        next(path for path in Path().iterdir() if path.is_dir()).rmdir()


def test_a_tree_deeper_than_the_recursion_limit(deep: Callable[[str, int], Path]) -> None:
    root = deep("d", sys.getrecursionlimit() + 100)
    assert [clip.id[-7:] for clip in open_dataset(root).clips] == ["d/a.wav"]


def test_a_path_too_long_for_the_system_is_named(deep: Callable[[str, int], Path]) -> None:
    root = deep("d" * 250, 20)
    (root / "b.wav").touch()
    listing = open_dataset(root)
    assert [clip.id for clip in listing.clips] == ["b.wav"]
    assert "too long" in listing.skipped[0].reason


def test_every_format_of_libsndfile_with_a_header_counts() -> None:
    assert {name.lower() for name in soundfile.available_formats()} - {
        "raw",
        "mat4",
        "mat5",
    } <= AUDIO_EXTENSIONS
    assert {
        "wav",
        "flac",
        "ogg",
        "oga",
        "opus",
        "mp3",
        "aif",
        "aiff",
        "au",
        "caf",
        "w64",
        "rf64",
    } <= AUDIO_EXTENSIONS
    assert [extension(name) for name in ("A.WAV", "a.tar.Flac", ".wav", "wav", "a.")] == [
        "wav",
        "flac",
        "",
        "",
        "",
    ]
