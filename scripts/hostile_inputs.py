"""Converts a folder of hostile audio, and shows hostile configs and shards to the commands: how does each end?

    python scripts/hostile_inputs.py

What is tried, and the end that each must come to, are those of tests/pipeline. The audio is converted by a process of
its own. Exit 1 if any ended otherwise.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "pipeline"))

import yaml
from hostile_files import CLIP, JOB, PASSED_OVER, SKIPPED, make_hostile_audio, wav
from stored_clips import stored
from test_hostile_configs import FILES, TEXTS
from test_hostile_shards_end_to_end import DAMAGED, forge_index
from test_hostile_shards_end_to_end import JOB as SHARDS_JOB
from typer.testing import CliRunner, Result

import specconv
from specconv.cli.app import app
from specconv.datasets import open_dataset
from specconv.messages import printable

LONGEST_S = 300.0
WIDTH = 44


def run(*arguments: object) -> Result:
    """A command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="specconv")


def show(name: str, end: str, reason: str, right: bool) -> None:
    short = name if len(name) <= WIDTH else f"{name[: WIDTH - 1]}…"
    print(f"{'' if right else 'WRONG '}{printable(short):{WIDTH}} {end:12} {printable(reason)[:100]}")


def audio_ends(root: Path) -> Iterator[tuple[str, bool]]:
    """Yields how each path of the hostile folder ended, and whether it had to."""
    expected = make_hostile_audio(root)
    (root / "job.yaml").write_text(yaml.safe_dump(dict(JOB)))
    command = ["convert", root / "audio", "--config", root / "job.yaml", "--out", root / "out", "--json", "-"]
    done = subprocess.run(
        [sys.executable, "-c", "from specconv.cli import main; main()", *map(str, command)],
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=LONGEST_S,
    )
    failures = {failure["path"]: failure for failure in json.loads(done.stdout)["failures"]}
    clips = stored(root / "out")
    skipped = {str(skip.path.relative_to(root / "audio")): skip.reason for skip in open_dataset(root / "audio").skipped}
    for path, must in expected.items():
        end, reason = PASSED_OVER, ""
        if path in clips:
            end = CLIP
        elif path in failures:
            end, reason = failures[path]["stage"], failures[path]["reason"]
        else:
            holders = [path, *map(str, Path(path).parents)]
            if named := next((holder for holder in holders if holder in skipped), None):
                end, reason = SKIPPED, skipped[named]
        show(path, end, reason, end == must)
        yield end, end == must
    if done.returncode != 1 or "Traceback" in done.stderr:
        show("the command", f"status {done.returncode}", done.stderr[-100:], False)
        yield "another end", False


def config_ends(root: Path) -> Iterator[tuple[str, bool]]:
    """The same for configs: all must be refused before anything is made."""
    wav(root / "audio" / "clip.wav")
    os.chdir(root)  # where the configs that would make files would make them
    for name in (*TEXTS, *FILES):
        config = Path("job.yaml")
        if name in TEXTS:
            config.write_text(TEXTS[name][0])
        else:
            FILES[name][0](config)
        done = run("convert", "audio", "--config", config, "--out", "out")
        made = sorted(path.name for path in root.iterdir()) != ["audio", "job.yaml"]
        end = "refused" if done.exit_code == 2 and not made and "Traceback" not in done.output else "another end"
        show(name, end, done.stderr.removeprefix("Error: job.yaml: ").rstrip(), end == "refused")
        yield end, end == "refused"
        with contextlib.suppress(IsADirectoryError, PermissionError):
            config.unlink()
        if config.is_dir():
            config.rmdir()


def shard_ends(root: Path) -> Iterator[tuple[str, bool]]:
    """The same for shards: verify names them, and info and plot say what is wrong with them."""
    for i in range(4):
        wav(root / "audio" / f"{i}.wav")
    specconv.convert(root / "audio", SHARDS_JOB, root / "whole")
    shutil.copy(root / "whole" / "shard-00000.h5", root / "outside.h5")
    for name, (damage, said) in DAMAGED.items():
        folder = root / "out"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(root / "whole", folder)
        damage(folder / "shard-00000.h5", root / "outside.h5")
        forge_index(folder)
        ends = [run("verify", folder), run("info", folder), run("plot", folder, "--to", root / "picture.png")]
        told = all(done.exit_code == 1 and said in done.output for done in ends)
        told = told and not any("Traceback" in done.output for done in ends)
        end = "told" if told else "another end"
        show(name, end, ends[1].stderr.partition("shard-00000.h5")[2].strip(": \n"), told)
        yield end, told


def main() -> int:
    wrong = 0
    lines = []
    for title, ends in (("audio", audio_ends), ("configs", config_ends), ("shards", shard_ends)):
        print(f"\n{title}")
        with tempfile.TemporaryDirectory() as folder:
            found = list(ends(Path(folder)))
            os.chdir("/")
        counts = Counter(end for end, _ in found)
        wrong += sum(not right for _, right in found)
        lines.append(f"{len(found)} hostile {title}: " + ", ".join(f"{n} {end}" for end, n in counts.most_common()))
    print("", *lines, f"{wrong} ended otherwise than they must", sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
