"""Feeds damaged audio to the decoder for a while: every file must end in a waveform or an AudioError.

    python scripts/fuzz_decode.py --minutes 5 --seed 1 --keep findings/

Small files in every container that libsndfile writes are cut, spliced, and changed in bits, bytes and header
fields. Each is loaded whole, cut to a duration, and streamed; the numbers must agree. Work is done in child
processes, so that a crash inside libsndfile is a finding too. Findings are kept as files, named after what
happened; exit 1 if there are any. With atheris installed, --atheris lets it choose the inputs (in one process).
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch

from specconv.audio import AudioFormat, decode, load, probe, stream
from specconv.errors import AudioError

LONGEST_SECONDS = 5.0  # one input
MOST_SAMPLES = 1 << 24  # a header may mean a long silence; longer is not compared, only begun
ADDRESS_SPACE = 6 << 30
FIELDS = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF]


def corpus(folder: Path) -> list[bytes]:
    """A short file in every container and encoding."""
    samples, seeds = np.random.default_rng(0).uniform(-0.5, 0.5, (1200, 2)), []
    for container in soundfile.available_formats():
        for subtype in soundfile.available_subtypes(container):
            path = folder / "seed"
            for channels in (2, 1):
                try:
                    rate = 48000 if subtype == "OPUS" else 16000
                    soundfile.write(path, samples[:, :channels], rate, subtype=subtype, format=container)
                except soundfile.LibsndfileError:
                    continue
                seeds.append(path.read_bytes())
                break
    return seeds


def damaged(seeds: list[bytes], rng: random.Random) -> bytes:
    content = bytearray(rng.choice(seeds))
    for _ in range(rng.choice([1, 1, 2, 3, 8])):
        at = rng.randrange(min(len(content), rng.choice([64, 256, 1 << 20])) or 1)
        kind = rng.randrange(8)
        if kind == 0:
            del content[at:]
        elif kind == 1:
            content[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 2 and content:
            content[at] ^= 1 << rng.randrange(8)
        elif kind in (3, 4):
            width = rng.choice([1, 2, 4, 8])
            field = (rng.choice(FIELDS) + rng.randrange(-2, 3)) % (1 << 8 * width)
            content[at : at + width] = field.to_bytes(width, rng.choice(["little", "big"]))
        elif kind == 5:
            del content[at : at + rng.randrange(1, 64)]
        elif kind == 6:
            content[at:at] = rng.randbytes(rng.randrange(1, 64))
        else:
            other = rng.choice(seeds)
            start = rng.randrange(len(other))
            content[at:at] = other[start : start + rng.randrange(1, 2048)]
    return bytes(content)


def check(path: Path) -> str:
    """How this file ends: "waveform" or "error"; raises whatever is not right."""
    started = time.perf_counter()
    try:
        long = probe(path).n_samples > MOST_SAMPLES
    except AudioError:
        long = False
    outcomes = []
    wanted = AudioFormat(sample_rate=11025)
    for use in (
        lambda: decode(path) and None,
        lambda: load(path, AudioFormat(sample_rate=11025, duration=0.05)).waveform,
        lambda: load(path, wanted).waveform,
        lambda: torch.cat(list(stream(path, wanted, 1000))),
    ):
        try:
            outcomes.append(use() if not long else next(stream(path, wanted, 1000)))
        except AudioError as error:
            outcomes.append(str(error))
    whole, streamed = outcomes[2:]
    if isinstance(whole, torch.Tensor):
        assert torch.isfinite(whole).all(), "not finite"
        assert isinstance(streamed, torch.Tensor), f"load gives a waveform, stream {streamed}"
        assert torch.equal(whole, streamed), "stream differs from load"
    else:
        assert whole == streamed, f"load: {whole}; stream: {streamed}"
    seconds = time.perf_counter() - started
    assert seconds < LONGEST_SECONDS, f"took {seconds:.1f} s"
    return "waveform" if isinstance(whole, torch.Tensor) else "error"


def work(seed: int, until: float, folder: Path) -> None:
    """One child: writes each input before it tries it, so that the parent finds the one that kills."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    torch.set_num_threads(1)
    seeds, rng, counts = corpus(folder), random.Random(seed), {"waveform": 0, "error": 0}
    path = folder / "input"
    while time.time() < until:
        path.write_bytes(damaged(seeds, rng))
        try:
            counts[check(path)] += 1
        except Exception as error:
            (folder / "finding").write_text(f"{type(error).__name__}: {error}")
            raise
        if sum(counts.values()) >= 20_000:  # a fresh process now and then: leaks end, crashes are spread
            break
    (folder / "counts").write_text(f"{counts['waveform']} {counts['error']}")


def run(minutes: float, seed: int, keep: Path) -> int:
    until, findings, waveforms, errors = time.time() + 60 * minutes, 0, 0, 0
    while time.time() < until:
        with tempfile.TemporaryDirectory() as folder:
            # libsndfile and libmpg123 speak on stdout and stderr of damaged files
            command = [sys.executable, __file__, "--work", folder, "--seed", str(seed), "--until", str(until)]
            child = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            if child.returncode == 0:
                counted = [int(number) for number in Path(folder, "counts").read_text().split()]
                waveforms, errors = waveforms + counted[0], errors + counted[1]
            else:
                findings += 1
                finding = Path(folder, "finding")
                what = finding.read_text() if finding.exists() else f"died of signal {-child.returncode}"
                print(f"seed {seed}: {what}", flush=True)
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{seed}.audio").write_bytes(Path(folder, "input").read_bytes())
                (keep / f"{seed}.txt").write_text(what + "\n")
        seed += 1
    print(f"{waveforms} waveforms, {errors} errors, {findings} findings")
    return 1 if findings else 0


def run_atheris(folder: Path) -> None:
    import atheris

    for number, seed in enumerate(corpus(folder)):
        (folder / f"seed-{number}").write_bytes(seed)

    def one(content: bytes) -> None:
        (folder / "input").write_bytes(content)
        check(folder / "input")

    atheris.Setup([sys.argv[0], str(folder)], one)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("findings"))
    parser.add_argument("--atheris", action="store_true")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--until", type=float, default=0.0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(given.seed, given.until, given.work)
        return 0
    if given.atheris:
        with tempfile.TemporaryDirectory() as folder:
            run_atheris(Path(folder))
    return run(given.minutes, given.seed, given.keep)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
