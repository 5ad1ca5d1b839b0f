"""A transform's memory on a CPU: its input, its output and at most 256 MB for each core, whatever the batch."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from specconv.engines.threads import workers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone forgets a process's peak when asked to")

BOUND = 256e6 * workers()  # each core works on blocks of its own
MANY, ONE = (400, 80_000), (1, 32_000_000)
FREQ, BATCH = {"layer": "normalization", "over": "freq"}, {"layer": "normalization", "over": "batch"}
CASES: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {
    "stft": ((200, 80_000), {"type": "stft", "scale": "complex"}),
    "log stft": (MANY, {"type": "stft", "freq_scale": "log", "scale": "decibel", "top_db": 80.0}),
    "mel": (MANY, {"type": "mel"}),
    "mfcc": (MANY, {"type": "mfcc", "top_db": 80.0}),
    "gammatonegram": (MANY, {"type": "gammatonegram"}),
    "cqt": (MANY, {"type": "cqt", "f_min": 55.0, "bins_per_octave": 24, "then": [FREQ]}),
    "vqt": (MANY, {"type": "vqt"}),
    "gammatone": (MANY, {"type": "gammatone"}),
    "cfp": ((100, 80_000), {"type": "cfp"}),
    "layered stft": (MANY, {"type": "stft", "then": [FREQ, {"layer": "delta"}]}),
    "stft over the batch": (MANY, {"type": "stft", "then": [BATCH]}),
    "one long stft": (ONE, {"type": "stft", "scale": "decibel", "top_db": 80.0, "then": [FREQ, {"layer": "delta"}]}),
    "one long cqt": (ONE, {"type": "cqt", "f_min": 110.0, "scale": "complex"}),
    "conv1d stft": (MANY, {"type": "stft", "n_fft": 256, "hop_length": 512, "engine": "conv1d"}),
    "conv1d mel": (MANY, {"type": "mel", "n_fft": 256, "n_mels": 16, "hop_length": 512, "engine": "conv1d"}),
    "conv1d cqt": (MANY, {"type": "cqt", "f_min": 880.0, "n_bins": 36, "engine": "conv1d", "then": [FREQ]}),
    "one long conv1d": (ONE, {"type": "gammatone", "f_min": 2000.0, "n_bins": 8, "engine": "conv1d"}),
}
# Each transform in a process of its own, that no freed memory of another's hides what it takes; torch is loaded once.
SCRIPT = """
import json, os, sys, torch
from specconv.transforms import build_transform

def memory(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key))

def beyond(shape, given):
    transform = build_transform(given, 44100)
    transform(torch.zeros(1, 3000))
    waveforms = torch.empty(shape).uniform_(-1, 1)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # forget the peak so far
    before = memory("VmRSS")
    specgrams = transform(waveforms)
    return memory("VmHWM") - before - specgrams.nbytes

for shape, given in json.load(sys.stdin):
    if (child := os.fork()) == 0:
        with torch.inference_mode():
            print(beyond(shape, given), flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(1)
"""


@pytest.fixture(scope="module")
def beyond() -> dict[str, int]:
    """Bytes beyond input and output at the peak of each case."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=json.dumps(list(CASES.values())), capture_output=True, text=True
    )
    assert not done.returncode, done.stderr
    return dict(zip(CASES, map(int, done.stdout.split()), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_peak_beyond_input_and_output(name: str, beyond: dict[str, int]) -> None:
    assert beyond[name] <= BOUND
