"""Between two runs the audio, the labels, the config or the shards changed: it is noticed, and never mixed."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml
from hostile_files import wav
from listening import NOTHING_TO_DO, Listening
from separate_runs import contents

import specconv
from specconv.errors import OutputError
from specconv.shards import shard_paths, verify

Job = Mapping[str, Any]
CHANGED = "shards of an earlier run are made again, for their clips have changed since"
SURPLUS = "shards of an earlier run are removed, for their clips are no more"


@dataclass(frozen=True)
class Change:
    """make: changes the audio folder of clips 0 to 8 and a bad one, in shards of four. made: shards, of the run after.

    said: of each notice, its number and words.
    """

    make: Callable[[Path], object]
    made: int
    said: tuple[str, ...]


def reversed_samples(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:44] + content[:43:-1])


def longer_at_the_same_time(path: Path) -> None:
    status = path.stat()
    wav(path, 9100)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def older(path: Path) -> None:
    """As a file of an archive that is put back."""
    os.utime(path, ns=(0, 1_000_000_000))


def swapped(one: Path, other: Path) -> None:
    one.rename(one.with_name("swap"))
    other.rename(one)
    one.with_name("swap").rename(other)


def into_a_folder(path: Path) -> None:
    (path.parent / "a").mkdir()
    path.rename(path.parent / "a" / path.name)


CHANGES: Mapping[str, Change] = {
    "nothing": Change(lambda _: None, 0, (NOTHING_TO_DO,)),
    "replaced, of the same size": Change(lambda clips: reversed_samples(clips / "1.wav"), 1, (f"{CHANGED} (1): ",)),
    "replaced, of the same time": Change(
        lambda clips: longer_at_the_same_time(clips / "1.wav"), 1, (f"{CHANGED} (1): ",)
    ),
    "touched": Change(lambda clips: (clips / "5.wav").touch(), 1, (f"{CHANGED} (1): ",)),
    "older": Change(lambda clips: older(clips / "5.wav"), 1, (f"{CHANGED} (1): ",)),
    "two of different shards": Change(
        lambda clips: [(clips / name).touch() for name in ("1.wav", "8.wav")], 2, (f"{CHANGED} (2): ",)
    ),
    "swapped": Change(lambda clips: swapped(clips / "1.wav", clips / "2.wav"), 1, (f"{CHANGED} (1): ",)),
    "renamed in its place": Change(lambda clips: (clips / "5.wav").rename(clips / "5b.wav"), 1, (f"{CHANGED} (1): ",)),
    "renamed to the end": Change(lambda clips: (clips / "0.wav").rename(clips / "z.wav"), 3, (f"{CHANGED} (3): ",)),
    "into a folder": Change(lambda clips: into_a_folder(clips / "0.wav"), 3, (f"{CHANGED} (3): ",)),
    "the first removed": Change(lambda clips: (clips / "0.wav").unlink(), 3, (f"{CHANGED} (3): ",)),
    "the last removed": Change(
        lambda clips: [(clips / name).unlink() for name in ("8.wav", "bad.wav")], 0, (f"{SURPLUS} (1): ",)
    ),
    "the last three removed": Change(
        lambda clips: [(clips / name).unlink() for name in ("7.wav", "8.wav", "bad.wav")],
        1,
        (f"{CHANGED} (1): ", f"{SURPLUS} (1): "),
    ),
    "one added before": Change(lambda clips: wav(clips / "+.wav"), 3, (f"{CHANGED} (3): ",)),
    "one added behind": Change(lambda clips: wav(clips / "z.wav"), 1, (f"{CHANGED} (1): ",)),
    "four added behind": Change(lambda clips: [wav(clips / f"z{i}.wav") for i in range(4)], 2, (f"{CHANGED} (1): ",)),
    "the bad one repaired": Change(lambda clips: wav(clips / "bad.wav"), 1, (f"{CHANGED} (1): ",)),
    "a good one broken": Change(lambda clips: (clips / "2.wav").write_text("gone"), 1, (f"{CHANGED} (1): ",)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_audio(clips: Path, small: Job, tmp_path: Path, listening: Listening, change: str) -> None:
    out, expected = tmp_path / "out", CHANGES[change]
    specconv.convert(clips, small, out)
    expected.make(clips)
    report = specconv.convert(clips, small, out, progress=listening)
    assert report.shards == expected.made
    assert len(listening.notices) == len(expected.said)
    for notice, said in zip(listening.notices, expected.said, strict=True):
        assert notice.startswith(said)
    specconv.convert(clips, small, tmp_path / "fresh")
    assert contents(out) == contents(tmp_path / "fresh")


class Replacing(Listening):
    """Replaces a clip when the run has begun."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def start(self, *, clips: int, done: int) -> None:  # noqa: ARG002
        reversed_samples(self._path)


def test_audio_that_changes_during_the_run_is_noticed_by_the_next(
    clips: Path, small: Job, tmp_path: Path, listening: Listening
) -> None:
    out = tmp_path / "out"
    specconv.convert(clips, small, out, progress=Replacing(clips / "6.wav"))
    assert specconv.convert(clips, small, out, progress=listening).shards == 1
    assert listening.notices[0].startswith(f"{CHANGED} (1): ")
    specconv.convert(clips, small, tmp_path / "fresh")
    assert contents(out) == contents(tmp_path / "fresh")


def edited(path: Path) -> None:
    """Another pitch in the last line of a table of notes, at the same size."""
    content = path.read_text().rstrip("\n")
    path.write_text(content[:-1] + ("1" if content[-1] != "1" else "2") + "\n")


@pytest.mark.parametrize(("corpus", "notes"), [("maps", "*/MUS/*.txt"), ("musicnet", "train_labels/*.csv")])
def test_notes(demo_root: Path, small: Job, tmp_path: Path, listening: Listening, corpus: str, notes: str) -> None:
    audio, out, job = tmp_path / "audio", tmp_path / "out", {**small, "shards": {"clips": 1}}
    shutil.copytree(demo_root / corpus, audio)
    total = specconv.convert(audio, job, out).shards
    edited(next(audio.rglob(notes)))
    report = specconv.convert(audio, job, out, progress=listening)
    assert (report.shards, report.kept_shards) == (1, total - 1)
    assert listening.notices[0].startswith(f"{CHANGED} (1): ")
    specconv.convert(audio, job, tmp_path / "fresh")
    assert contents(out) == contents(tmp_path / "fresh")


SAME_CONFIGS = {
    "a comment": lambda text: "# the day after\n" + text.replace("\n", "  # said\n", 1),
    "the order": lambda text: yaml.safe_dump(dict(reversed(list(yaml.safe_load(text).items()))), sort_keys=False),
    "a default written out": lambda text: text.replace("n_fft: 512", "n_fft: 512\n  center: true"),
    "a number written otherwise": lambda text: text.replace("sample_rate: 16000", "sample_rate: 0x3E80"),
}


@pytest.mark.parametrize("edit", SAME_CONFIGS)
def test_a_config_that_means_the_same(clips: Path, small: Job, tmp_path: Path, listening: Listening, edit: str) -> None:
    config, out = tmp_path / "config.yaml", tmp_path / "out"
    text = yaml.safe_dump(dict(small))
    config.write_text(text)
    specconv.convert(clips, config, out)
    before = contents(out)
    config.write_text(SAME_CONFIGS[edit](text))
    assert config.read_text() != text
    report = specconv.convert(clips, config, out, progress=listening)
    assert (report.shards, report.kept_shards, listening.notices) == (0, 3, [NOTHING_TO_DO])
    assert contents(out) == before


MEL = {"type": "mel", "n_fft": 512, "n_mels": 16}
OTHER_CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "a parameter": {"transforms": [{**MEL, "hop_length": 100}]},
    "a name": {"transforms": [{**MEL, "name": "logmel"}]},
    "a scale": {"transforms": [{**MEL, "scale": "decibel"}]},
    "an engine": {"transforms": [{**MEL, "engine": "conv1d"}]},
    "a layer": {"transforms": [{**MEL, "then": [{"layer": "delta"}]}]},
    "one more": {"transforms": [MEL, {"type": "stft", "n_fft": 256}]},
    "the sample rate": {"audio": {"sample_rate": 8000}},
    "a duration": {"audio": {"sample_rate": 16000, "duration": 0.5}},
    "the channels": {"audio": {"sample_rate": 16000, "channels": "first"}},
    "larger shards": {"shards": {"clips": 5}},
    "one shard": {"shards": {"clips": 100}},
    "half the precision": {"shards": {"clips": 4, "dtype": "float16"}},
    "compression": {"shards": {"clips": 4, "compression": "gzip"}},
}


@pytest.mark.parametrize("edit", OTHER_CONFIGS)
def test_another_config(clips: Path, small: Job, tmp_path: Path, listening: Listening, edit: str) -> None:
    out, other = tmp_path / "out", {**small, **OTHER_CONFIGS[edit]}
    specconv.convert(clips, small, out)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in out.iterdir()}
    for part in ((1, 1), (2, 2)):
        with pytest.raises(OutputError, match=r"holds shards made by another config .* replace them with --overwrite"):
            specconv.convert(clips, other, out, part=part)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in out.iterdir()} == before
    report = specconv.convert(clips, other, out, overwrite=True, progress=listening)
    assert report.kept_shards == 0
    assert "for another config made them" in listening.notices[0]
    specconv.convert(clips, other, tmp_path / "fresh")
    assert contents(out) == contents(tmp_path / "fresh")


def test_shards_of_an_unfinished_run_are_refused_too(clips: Path, small: Job, tmp_path: Path) -> None:
    out = tmp_path / "out"
    specconv.convert(clips, small, out)
    for name in ("index.json", "errors.jsonl", "shard-00000.h5", "shard-00001.h5"):
        (out / name).unlink()
    with pytest.raises(OutputError, match=r"made by another config \(shard-00002\.h5\)"):
        specconv.convert(clips, {**small, "transforms": [{**MEL, "hop_length": 100}]}, out)


def test_another_version(
    clips: Path, small: Job, tmp_path: Path, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    specconv.convert(clips, small, out)
    before = contents(out)
    for module in ("plan", "survey"):
        monkeypatch.setattr(f"specconv.pipeline.{module}.__version__", "99.0")
    with pytest.raises(OutputError, match=r"made by another version of specconv than 99\.0 .*--overwrite"):
        specconv.convert(clips, small, out)
    assert contents(out) == before
    report = specconv.convert(clips, small, out, overwrite=True, progress=listening)
    assert (report.shards, report.kept_shards) == (3, 0)
    assert "for another version of specconv made them" in listening.notices[0]
    specconv.convert(clips, small, tmp_path / "fresh")
    assert contents(out) == contents(tmp_path / "fresh") != before


@pytest.mark.parametrize("lost", [["shard-00001.h5"], ["shard-00000.h5", "shard-00002.h5"], ["index.json"]])
@pytest.mark.parametrize("ledger_is_lost", [False, True])
def test_lost_files_of_the_folder(
    clips: Path, small: Job, tmp_path: Path, listening: Listening, lost: list[str], ledger_is_lost: bool
) -> None:
    out = tmp_path / "out"
    specconv.convert(clips, small, out)
    before = contents(out)
    for name in lost + ["errors.jsonl"] * ledger_is_lost:
        (out / name).unlink()
    report = specconv.convert(clips, small, out, progress=listening)
    assert report.shards == sum(name.endswith(".h5") for name in lost)
    nothing_to_do = [NOTHING_TO_DO] if lost == ["index.json"] else []
    assert (contents(out), listening.notices) == (before, nothing_to_do)


def foreign(path: Path) -> None:
    path.unlink()
    with h5py.File(path, "w", libver="latest") as file:
        file["measured"] = np.arange(10)


DAMAGES: Mapping[str, Callable[[Path], object]] = {
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("my notes"),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "a file of others": foreign,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_shard_that_is_damaged(clips: Path, small: Job, tmp_path: Path, listening: Listening, damage: str) -> None:
    out = tmp_path / "out"
    specconv.convert(clips, small, out)
    expected, path = contents(out), out / "shard-00001.h5"
    DAMAGES[damage](path)
    with pytest.raises(OutputError, match=r"shard-00001\.h5 is damaged, or no shard of specconv; remove it, choose"):
        specconv.convert(clips, small, out)
    assert (out / "index.json").exists()
    if damage == "a folder":
        path.rmdir()
        assert specconv.convert(clips, small, out).shards == 1
    else:
        report = specconv.convert(clips, small, out, overwrite=True, progress=listening)
        assert (report.shards, report.kept_shards) == (1, 2)
        assert listening.notices == [
            "shards of an earlier run are made again, for they are damaged (1): shard-00001.h5"
        ]
    assert contents(out) == expected


def test_a_value_that_changed_is_found_by_verify_and_made_again_once_it_is_removed(
    clips: Path, small: Job, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    specconv.convert(clips, small, out)
    expected, path = contents(out), out / "shard-00001.h5"
    with h5py.File(path) as file:
        offset = file["specgrams/mel/values"].id.get_chunk_info(0).byte_offset
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\x80")
    assert [fault.key for fault in verify(out).faults] != []
    path.unlink()
    specconv.convert(clips, small, out)
    assert verify(out).faults == ()
    assert contents(out) == expected


def test_other_audio_does_not_replace_a_finished_folder_unasked(
    clips: Path, small: Job, tmp_path: Path, listening: Listening
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    specconv.convert(clips, small, out)
    before = contents(out)
    for i in range(3):
        wav(other / f"{i}.wav", 5000)
    said = f"holds shards of other audio, {re.escape(str(clips))}; choose another --out, or replace them"
    with pytest.raises(OutputError, match=said):
        specconv.convert(other, small, out)
    assert contents(out) == before
    specconv.convert(other, small, out, overwrite=True, progress=listening)
    assert len(listening.notices) == 2
    specconv.convert(other, small, tmp_path / "fresh")
    assert contents(out) == contents(tmp_path / "fresh")


def test_audio_that_only_moved_is_the_same(clips: Path, small: Job, tmp_path: Path, listening: Listening) -> None:
    out = tmp_path / "out"
    specconv.convert(clips, small, out)
    (tmp_path / "elsewhere").mkdir()
    moved = clips.rename(tmp_path / "elsewhere" / "audio")  # its name is the clips' class
    report = specconv.convert(moved, small, out, progress=listening)
    assert (report.shards, report.kept_shards, listening.notices) == (0, 3, [NOTHING_TO_DO])
    assert json.loads((out / "index.json").read_text())["audio"] == str(moved)
    copied = Path(shutil.copytree(moved, tmp_path / "again" / "audio"))  # which keeps times
    assert specconv.convert(copied, small, out).shards == 0


@pytest.mark.parametrize("name", ["shard-00007.h5", "shard-00003.h5"])
def test_a_foreign_file_of_a_shards_name_is_not_removed_unasked(
    clips: Path, small: Job, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    specconv.convert(clips, small, out)
    (out / name).write_text("mine")
    with pytest.raises(OutputError, match=f"{name} is damaged, or no shard"):
        specconv.convert(clips, small, out)
    assert (out / name).read_text() == "mine"
    assert len(shard_paths(out)) == 4
