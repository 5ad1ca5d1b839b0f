"""Kills conversions at random moments, takes them up by the same command, and compares with runs left alone.

    python scripts/kill_conversions.py [--kills 300] [--commands 24] [--seed 1]

Each kind of conversion is killed by SIGKILL, as often as it takes in one folder, until it has come to its end there;
then a new folder is begun. After every kill each shard that has its final name must be, bit for bit, that of a run left
alone, and none that was there before may be gone; at the end all of the folder must be, but for the time in its index.
Then whole commands (``specconv convert``) are ended by SIGKILL, SIGTERM, Ctrl-C and Ctrl-C twice. Exit 1 if anything
was lost.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "pipeline"))

from hostile_files import wav
from separate_runs import Runs, contents, separate_runs

from specconv.shards import shard_paths

SPECCONV = [sys.executable, "-c", "from specconv.cli import main; main()"]
MEL = {"type": "mel", "n_fft": 512, "hop_length": 128, "n_mels": 32}
LEVELS = {**MEL, "name": "levels", "scale": "decibel", "top_db": 60.0}
CQT = {"type": "cqt", "n_bins": 24, "hop_length": 256}
STREAMED = {"specconv.pipeline.converter.LONG_BYTES": 1, "specconv.pipeline.converter.BLOCK_BYTES": 2**16}


@dataclass(frozen=True)
class Kind:
    """constants: of specconv, to be set. before: another config, whose shards are there and are replaced."""

    job: Mapping[str, Any]
    constants: Mapping[str, int] = field(default_factory=dict)
    before: Mapping[str, Any] | None = None


def job(*transforms: Mapping[str, Any], **shards: Any) -> dict[str, Any]:
    return {"audio": {"sample_rate": 16000}, "transforms": list(transforms), "shards": {"clips": 3, **shards}}


KINDS = {
    "in memory": Kind(job(MEL, CQT)),
    "streamed": Kind(job(LEVELS, CQT), STREAMED),
    "compressed": Kind(job(MEL, LEVELS, dtype="float16", compression="gzip")),
    "resampled": Kind({**job(MEL), "audio": {"sample_rate": 11025, "duration": 2.0}}),
    "overwriting": Kind(job(MEL), before=job(LEVELS)),
}


@dataclass
class Count:
    kills: int = 0
    finished: int = 0  # folders, each compared
    lost: int = 0  # shards that were whole and are not
    differing: int = 0  # folders


class Folder:
    """An output folder in which a conversion is killed until it is done."""

    def __init__(self, out: Path, expected: Mapping[str, Any], count: Count) -> None:
        self.out, self._expected, self._count = out, expected, count
        self._whole: set[str] = set()

    def look(self, before: Mapping[str, bytes]) -> None:
        """After a kill. before: shards of another config, which may still be there."""
        there = {path.name: path.read_bytes() for path in (shard_paths(self.out) if self.out.exists() else [])}
        whole = {name for name, content in there.items() if content == self._expected[name]}
        broken = {name for name in set(there) - whole if there[name] != before.get(name)}
        self._count.lost += len(broken) + len(self._whole - whole)
        self._whole = whole

    def finish(self) -> None:
        """After a run that came to its end."""
        self._count.finished += 1
        if contents(self.out) != self._expected:
            self._count.differing += 1
            print(f"{self.out.name} differs from the run left alone")


def kill(runs: Runs, kind: Kind, kills: int, audio: Path, work: Path, chance: random.Random) -> Count:
    count = Count()
    options: dict[str, Any] = {"constants": kind.constants, "overwrite": kind.before is not None}

    def begun(name: str) -> tuple[Path, dict[str, bytes]]:
        if kind.before is None:
            return work / name, {}
        runs.convert(audio, kind.before, work / name)
        return work / name, {path.name: path.read_bytes() for path in shard_paths(work / name)}

    for name in ("warm", "alone"):
        out, _ = begun(name)
        started = time.monotonic()
        alone = runs.convert(audio, kind.job, out, **options)
        duration = time.monotonic() - started
        if alone.report is None:
            raise SystemExit(alone.said)
    expected = contents(work / "alone")
    while count.kills < kills:
        out, before = begun(f"killed {count.finished}")
        folder = Folder(out, expected, count)
        while True:
            run = runs.begin(audio, kind.job, out, **options)
            # Some soon after the last, for what has been done is not done again.
            time.sleep(chance.uniform(0, duration) * chance.choice([1, 0.5, 0.2]))
            run.kill()
            ended = run.wait()
            if ended.signal == signal.SIGKILL:
                count.kills += 1
            elif ended.report is None:
                raise SystemExit(ended.said)
            folder.look(before)
            if ended.report is not None or count.kills >= kills:
                break
        again = runs.convert(audio, kind.job, out, **options)  # a run killed after its last write is taken up too
        if again.report is None:
            raise SystemExit(again.said)
        folder.finish()
    return count


def end_commands(commands: int, audio: Path, work: Path, chance: random.Random) -> Count:
    """Commands ended by each of four ways in turn, and each taken up by the next; 1 is their exit when all is done,
    for some clips are no audio."""
    count = Count()
    config = work / "config.yaml"
    config.write_text(json.dumps(KINDS["in memory"].job))

    def begin(out: Path) -> subprocess.Popen[str]:
        command = [*SPECCONV, "convert", str(audio), "--config", str(config), "--out", str(out)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    ways = [[signal.SIGKILL], [signal.SIGTERM], [signal.SIGINT], [signal.SIGINT, signal.SIGINT]]
    begin(work / "alone").communicate()
    expected = contents(work / "alone")
    for number in range(commands):
        folder = Folder(work / f"ended {number}", expected, count)
        process = begin(folder.out)
        while process.poll() is None and not folder.out.exists():
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.4))
        for sent in ways[number % len(ways)]:
            process.send_signal(sent)
            time.sleep(0.01)
        _, said = process.communicate()
        if process.returncode not in (1, 130, -sent) or "Traceback" in said:
            raise SystemExit(f"exit {process.returncode}: {said}")
        count.kills += process.returncode != 1
        folder.look({})
        _, said = (again := begin(folder.out)).communicate()
        if again.returncode != 1:
            raise SystemExit(f"exit {again.returncode}: {said}")
        folder.finish()
    return count


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--kills", type=int, default=300, help="of conversions, in all")
    arguments.add_argument("--commands", type=int, default=24, help="that are ended by signals of four kinds")
    arguments.add_argument("--seed", type=int, default=1)
    chosen = arguments.parse_args()
    chance, total = random.Random(chosen.seed), Count()
    print(f"{'':12} {'kills':>6} {'folders finished':>17} {'differing':>10} {'shards lost':>12}")
    with tempfile.TemporaryDirectory() as name, separate_runs() as runs:
        work = Path(name)
        for i in range(24):
            wav(work / "audio" / f"{i}.wav", 16_000 + 4000 * (i % 7))
        for i in range(2):
            (work / "audio" / f"bad {i}.wav").write_text("this is no audio")
        for number, (label, kind) in enumerate([*KINDS.items(), ("commands", None)]):
            inside = work / label
            inside.mkdir()
            if kind is None:
                count = end_commands(chosen.commands, work / "audio", inside, chance)
            else:
                share = chosen.kills * (number + 1) // len(KINDS) - chosen.kills * number // len(KINDS)
                count = kill(runs, kind, share, work / "audio", inside, chance)
            print(f"{label:12} {count.kills:6} {count.finished:17} {count.differing:10} {count.lost:12}", flush=True)
            for value in ("kills", "finished", "differing", "lost"):
                setattr(total, value, getattr(total, value) + getattr(count, value))
    print(f"{'all':12} {total.kills:6} {total.finished:17} {total.differing:10} {total.lost:12}")
    return min(1, total.differing + total.lost)


if __name__ == "__main__":
    sys.exit(main())
