"""What share of a conversion are its flushes to the disk and its checksums?

    python scripts/safety_cost.py [--audio DIR] [--rounds 15] [--folder DIR]

Piano triads of 4 s to mel spectrograms of 64 x 126, as configs/piano_triads.yaml says, in one process and in
interleaved rounds: as it is, without ``fsync``, without SHA-256, and without both. The share is the median over the
rounds of what a round lost against the same round without. Exit 1 if that of both is 5 % or more.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import specconv
from specconv.datasets.demo import make_demo

CONFIG = Path(__file__).parent.parent / "configs" / "piano_triads.yaml"
GOAL = 0.05
NO_FSYNC = {"os.fsync": lambda _: None}
NO_HASH = {"specconv.shards.hdf5.files.sha256": lambda _: "0" * 64}
WAYS: dict[str, dict[str, Callable[..., object]]] = {
    "as it is": {},
    "without fsync": NO_FSYNC,
    "without SHA-256": NO_HASH,
    "without both": NO_FSYNC | NO_HASH,
}


def seconds(audio: Path, out: Path, without: dict[str, Callable[..., object]]) -> float:
    shutil.rmtree(out, ignore_errors=True)  # with what of it was not on the disk yet, so that nobody waits for it
    patches = [patch(name, replacement) for name, replacement in without.items()]
    for replaced in patches:
        replaced.start()
    started = time.perf_counter()
    specconv.convert(audio, CONFIG, out, device="cpu")
    ended = time.perf_counter()
    for replaced in patches:
        replaced.stop()
    return ended - started


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--audio", type=Path, help="a folder of piano triads; made if omitted")
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--folder", type=Path, help="where shards are made for the moment: the disk to measure")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        work = Path(folder)
        if chosen.audio is None:
            make_demo(work / "demo", size="medium")
            chosen.audio = work / "demo" / "piano_triads"
        times: dict[str, list[float]] = {name: [] for name in WAYS}
        for turn in range(chosen.rounds + 1):  # the first warms up
            names = list(WAYS)
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                spent = seconds(chosen.audio, work / "out", WAYS[name])
                if turn:
                    times[name].append(spent)
    whole = times["as it is"]
    shares = {}
    print(f"{chosen.rounds} rounds; seconds median (min to max), and the share of the run that is saved (quartiles)")
    for name, spent in times.items():
        saved = [1 - without / full for without, full in zip(spent, whole, strict=True)]
        shares[name] = statistics.median(saved)
        low, _, high = statistics.quantiles(saved, n=4)
        print(
            f"{name:16} {statistics.median(spent):6.3f} ({min(spent):.3f} to {max(spent):.3f})"
            f"  {shares[name]:6.1%} ({low:.1%} to {high:.1%})"
        )
    return int(shares["without both"] >= GOAL)


if __name__ == "__main__":
    sys.exit(main())
