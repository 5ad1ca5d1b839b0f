"""What works, but not as its user may think, is said once, however many clips, threads and transforms it concerns."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

Launch = Callable[..., subprocess.Popen[str]]

NARROW = """
audio: {sample_rate: 16000}
transforms:
  - {type: mel, n_fft: 128, n_mels: 64}
  - {type: mfcc, n_fft: 128, n_mels: 64}
shards: {clips: 1}
"""


def test_empty_filters_are_said_once_by_a_conversion(launch: Launch, tones: Path, tmp_path: Path) -> None:
    config = tmp_path / "narrow.yaml"
    config.write_text(NARROW)
    process = launch("convert", tones, "--config", config, "--out", tmp_path / "out", "--workers", 2)
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    notices = [line for line in stderr.splitlines() if "Warning" in line]
    assert len(notices) == 1
    assert "of 64 mel filters hold no bin of the spectrum" in notices[0]
    assert "lower n_mels or raise n_fft (128)" in notices[0]
    assert "Warning" not in stdout
