"""How much memory does a conversion need at its peak?

    python scripts/measure_memory.py [--only NAME ...] [--folder DIR] [--json FILE]

Each case runs ``specconv convert`` in a process of its own; its peak is what the system says of it when it has ended
(ru_maxrss: everything that was in memory at once, libraries included). Recordings are made here: noise, with a tone
that glides, so that nothing is silent. Exit 1 if a case needs more than its goal. Needs some 10 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import yaml

ROOT = Path(__file__).parent.parent
RATE = 44_100
SPECCONV = [sys.executable, "-c", "from specconv.cli import main; main()"]
TINY, TINY_LINKS = 100_000, 1_000  # clips; of one file, for file systems allow but some 65,000 links to one
MEL = {"type": "mel", "n_fft": 2048, "hop_length": 512, "n_mels": 128}
CQT = {"type": "cqt", "n_bins": 84, "hop_length": 512}


def recording(path: Path, seconds: int) -> None:
    """Stereo of 16 bits at 44.1 kHz, written second by second."""
    chance = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for second in range(seconds):
            time = second + np.arange(RATE) / RATE
            tone = 0.3 * np.sin(2 * np.pi * (200 + 0.1 * time) * time)
            file.write(tone[:, None] + 0.1 * chance.standard_normal((RATE, 2)))


def hours(folder: Path) -> None:
    recording(folder / "three hours.wav", 3 * 3600)


def minutes(folder: Path) -> None:
    recording(folder / "ten minutes.wav", 600)


def tiny(folder: Path) -> None:
    """A quarter of a second at 16 kHz, 100,000 times: names of a hundred files, in folders."""
    chance = np.random.default_rng(0)
    for group in range(TINY // TINY_LINKS):
        inside = folder / f"{group:02}"
        inside.mkdir()
        soundfile.write(inside / "0.wav", chance.uniform(-0.5, 0.5, 4000), 16_000)
        for i in range(1, TINY_LINKS):
            (inside / f"{i}.wav").hardlink_to(inside / "0.wav")


def triads(folder: Path) -> None:
    command = [*SPECCONV, "demo", str(folder / "demo"), "--size", "medium"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@dataclass(frozen=True)
class Case:
    """make: writes the audio into a folder. audio: below it. config: what is converted. goal: MiB."""

    says: str
    make: Callable[[Path], None]
    config: Path | Mapping[str, object]
    goal: int | None
    audio: str = "."


CASES = {
    "hours": Case(
        "3 h of 44.1 kHz stereo, mel 128 and CQT 84 in one pass", hours, {"audio": {}, "transforms": [MEL, CQT]}, 1536
    ),
    "minutes": Case("10 min of 44.1 kHz stereo, musicnet34", minutes, ROOT / "configs/musicnet34.yaml", 3072),
    "tiny": Case(
        f"{TINY:,} clips of 0.25 s at 16 kHz, mel 64",
        tiny,
        {"audio": {"sample_rate": 16_000}, "transforms": [{"type": "mel", "n_fft": 1024, "n_mels": 64}]},
        1536,
    ),
    "triads": Case(
        "1,440 piano triads of 4 s, mel 64", triads, ROOT / "configs/piano_triads.yaml", None, "demo/piano_triads"
    ),
}


def measure(case: Case, work: Path) -> dict[str, object]:
    """Make the audio, convert it, and remove both again."""
    audio, out, config, told = (work / name for name in ("audio", "out", "config.yaml", "report.json"))
    audio.mkdir()
    case.make(audio)
    if isinstance(case.config, Path):
        shutil.copy(case.config, config)
    else:
        config.write_text(yaml.safe_dump(dict(case.config)))
    command = ["convert", str(audio / case.audio), "--config", str(config), "--out", str(out), "--json", str(told)]
    process = subprocess.Popen([*SPECCONV, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{case.says}: exit {process.returncode}: {said}")
    report = json.loads(told.read_text())
    for path in (audio, out):
        shutil.rmtree(path)
    return {"peak_mib": usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10), **report}


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", choices=CASES, action="append", help="this case; may be given again")
    arguments.add_argument("--folder", type=Path, help="where recordings and shards are made for the moment")
    arguments.add_argument("--json", type=Path, help="write the figures there too")
    chosen = arguments.parse_args()
    figures, missed = {}, 0
    print(f"{'case':56} {'peak':>9} {'goal':>9} {'seconds':>8} {'x realtime':>10}")
    for name in chosen.only or CASES:
        case = CASES[name]
        with tempfile.TemporaryDirectory(dir=chosen.folder) as work:
            figures[name] = found = measure(case, Path(work))
        peak, seconds = float(str(found["peak_mib"])), float(str(found["wall_seconds"]))
        missed += case.goal is not None and peak > case.goal
        goal = "" if case.goal is None else f"{case.goal} MiB"
        realtime = float(str(found["audio_seconds"])) / seconds
        print(f"{case.says:56} {peak:5.0f} MiB {goal:>9} {seconds:8.1f} {realtime:10.0f}", flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=1) + "\n")
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main())
