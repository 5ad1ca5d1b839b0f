"""Every odd and hostile file ends in a specgram, in the ledger or among the skipped; the run never hangs or dies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml
from hostile_files import CLIP, CONTENTS, JOB, NAMES, PASSED_OVER, SKIPPED, make_hostile_audio, wav
from separate_runs import Runs
from stored_clips import Specgrams, alone, assert_same, stored

import specconv
from specconv.config import load_config
from specconv.datasets import open_dataset
from specconv.executors import InProcess
from specconv.pipeline import Silent, convert, make_plan

UNTOUCHED = b"RIFF, says the fifo"
pytestmark = pytest.mark.usefixtures("never_hangs")


@dataclass(frozen=True)
class Converted:
    """The hostile folder after its conversion. ends: that each path must come to. left: unread in the fifo."""

    audio: Path
    out: Path
    ends: Mapping[str, str]
    process: subprocess.CompletedProcess[str]
    left: bytes

    def ending(self, *ends: str) -> set[str]:
        return {path for path, end in self.ends.items() if end in ends}


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """By the command, in a process of its own, while somebody has something in the fifo."""
    root = tmp_path_factory.mktemp("hostile")
    ends = make_hostile_audio(root)
    (root / "job.yaml").write_text(yaml.safe_dump(dict(JOB)))
    pipe = os.open(root / "audio" / "special" / "fifo.wav", os.O_RDWR | os.O_NONBLOCK)
    os.write(pipe, UNTOUCHED)
    command = ["convert", root / "audio", "--config", root / "job.yaml", "--out", root / "out", "--json", "-"]
    process = subprocess.run(
        [sys.executable, "-c", "from specconv.cli import main; main()", *map(str, command)],
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=600,
    )
    left = os.read(pipe, 100)
    os.close(pipe)
    return Converted(root / "audio", root / "out", ends, process, left)


def ledger(out: Path) -> dict[str, dict[str, str]]:
    lines = [json.loads(line) for line in (out / "errors.jsonl").read_text().splitlines()]
    assert len({line["path"] for line in lines}) == len(lines)
    return {line["path"]: line for line in lines}


def test_every_path_ends_as_it_must(converted: Converted) -> None:
    specgrams, errors = stored(converted.out), ledger(converted.out)
    found = dict.fromkeys(specgrams, CLIP) | {path: line["stage"] for path, line in errors.items()}
    assert len(found) == len(specgrams) + len(errors)
    assert found == {path: end for path, end in converted.ends.items() if end not in (SKIPPED, PASSED_OVER)}
    for line in errors.values():
        assert set(line) == {"path", "stage", "reason", "shard"}
        assert len(line["reason"].splitlines()) == 1


def test_what_is_skipped_is_counted_and_named(converted: Converted) -> None:
    skipped = {
        str(skip.path.relative_to(converted.audio)): skip.reason for skip in open_dataset(converted.audio).skipped
    }
    named = {path for path in converted.ends if any(f"{path}/".startswith(f"{folder}/") for folder in skipped)}
    assert named - {"names/folder.wav/inside.wav"} == converted.ending(SKIPPED)
    assert all(skipped.values())
    assert json.loads(converted.process.stdout)["skipped"] == len(skipped)
    assert f"Skipped {len(skipped)}:" in converted.process.stderr


def test_the_command_says_so_without_a_traceback(converted: Converted) -> None:
    report = json.loads(converted.process.stdout)  # nothing else is on stdout, whatever libraries say of damage
    stages = converted.ends.keys() - converted.ending(CLIP, SKIPPED, PASSED_OVER)
    assert (report["clips"], report["failed"]) == (len(converted.ending(CLIP)), len(stages))
    assert {failure["path"] for failure in report["failures"]} == stages
    assert converted.process.returncode == 1
    for sign in ("Traceback", "\x1b", "\r", "should not happen"):
        assert sign not in converted.process.stderr
    assert f"{len(stages)} clips could not be converted" in converted.process.stderr


def test_no_fifo_is_read_and_nothing_outside_is_made(converted: Converted) -> None:
    assert converted.left == UNTOUCHED
    assert {path.name for path in converted.audio.parent.iterdir()} == {"audio", "outside", "job.yaml", "out"}
    assert {path.name for path in (converted.audio.parent / "outside").iterdir()} == {"far.wav"}
    assert {path.suffix for path in converted.out.iterdir()} <= {".h5", ".json", ".jsonl", ".lock"}


def test_healthy_clips_have_the_numbers_that_they_have_alone(converted: Converted) -> None:
    found = stored(converted.out)
    for path in converted.ending(CLIP):
        assert_same(found[path], alone(converted.audio / path, JOB))


def test_the_library_does_what_the_command_does(converted: Converted, tmp_path: Path) -> None:
    report = specconv.convert(converted.audio, JOB, tmp_path / "out")
    assert report.clips == len(converted.ending(CLIP))
    assert ledger(tmp_path / "out") == ledger(converted.out)
    for path in sorted(converted.out.glob("shard-*.h5")):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def test_both_normal_forms_and_equal_stems_are_clips_of_their_own(converted: Converted) -> None:
    found = stored(converted.out)
    forms = [f"names/{unicodedata.normalize(form, 'café')}.wav" for form in ("NFC", "NFD")]
    for one, other in (forms, ("names/same/one.wav", "names/same too/one.wav")):
        assert (found[one]["cqt"] != found[other]["cqt"]).any()


def test_every_kind_of_end_is_tried() -> None:
    ends = {end for _, end in CONTENTS.values()} | set(NAMES.values())
    assert ends == {CLIP, SKIPPED, PASSED_OVER, "open", "decode", "resample"}


# --- files that change between being found and being decoded


def becomes(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.unlink()
        make(path)

    return change


def is_cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(2000)


CHANGES: Mapping[str, tuple[Callable[[Path], object], str, str]] = {
    "vanishes": (Path.unlink, "open", "there is no such file; was it moved"),
    "loses its folder": (lambda path: shutil.rmtree(path.parent), "open", "there is no such file"),
    "becomes a fifo": (becomes(os.mkfifo), "open", "it is a fifo"),
    "becomes a folder": (becomes(Path.mkdir), "open", "it is a directory"),
    "becomes a link to itself": (becomes(lambda path: path.symlink_to(path)), "open", "Too many levels"),
    "becomes a link to a device": (becomes(lambda path: path.symlink_to("/dev/zero")), "open", "it is a device"),
    "becomes empty": (becomes(Path.touch), "open", "it is empty"),
    "becomes text": (becomes(lambda path: path.write_text("no audio")), "open", "it begins with b'no audio'"),
    "is cut": (is_cut, "decode", "the header promises"),
}


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """Three clips, the second in a folder of its own."""
    for number, name in enumerate(("1.wav", "2/2.wav", "3.wav")):
        wav(tmp_path / "audio" / name, 8000 + number)
    return tmp_path / "audio"


class Meanwhile(Silent):
    """Does something when the run is about to begin: all is found, planned, and counted."""

    def __init__(self, change: Callable[[], object]) -> None:
        self._change = change

    def start(self, *, clips: int, done: int) -> None:  # noqa: ARG002 (as the protocol has it)
        self._change()


@pytest.mark.parametrize("moment", ["found", "planned"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_meanwhile_is_one_failure(three: Path, tmp_path: Path, change: str, moment: str) -> None:
    make, stage, reason = CHANGES[change]
    expected: dict[str, Specgrams] = {name: alone(three / name, JOB) for name in ("1.wav", "3.wav")}
    listing, out = open_dataset(three), tmp_path / "out"
    if moment == "found":
        make(three / "2" / "2.wav")
    plan = make_plan(load_config(JOB), listing)
    progress = Meanwhile(lambda: make(three / "2" / "2.wav")) if moment == "planned" else Silent()
    report = convert(plan, out, InProcess(torch.device("cpu"), threads=2), progress=progress)
    assert [(failure.path, failure.stage) for failure in report.failures] == [("2/2.wav", stage)]
    assert reason in report.failures[0].reason
    assert ledger(out)["2/2.wav"]["reason"] == report.failures[0].reason
    found = stored(out)
    assert set(found) == set(expected)
    for name, specgrams in expected.items():
        assert_same(found[name], specgrams)


def test_a_file_that_may_not_be_read_is_one_failure(runs: Runs, three: Path, tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can become somebody else")
    (tmp_path / "out").mkdir(mode=0o777)
    (tmp_path / "out").chmod(0o777)
    for path in [three, *three.parents]:
        if path.stat().st_mode & 0o005 != 0o005:
            path.chmod(path.stat().st_mode | 0o055)
    (three / "1.wav").chmod(0)
    (three / "2").chmod(0)
    ended = runs.convert(three, dict(JOB), tmp_path / "out", user=65534)
    assert ended.report is not None, ended.said
    (failure,) = ended.report["failures"]
    assert (failure["path"], failure["stage"]) == ("1.wav", "open")
    assert "it may not be read; permit it" in failure["reason"]
    assert set(stored(tmp_path / "out")) == {"3.wav"}
