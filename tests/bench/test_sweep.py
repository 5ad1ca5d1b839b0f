"""A config over a folder, timed and not stored."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from rich.console import Console

from specconv.bench import sweep as sweep_module
from specconv.bench.sweep import SweepReport, time_sweep
from specconv.bench.sweep_report import sweep_tables
from specconv.config import load_config
from specconv.datasets import open_dataset
from specconv.errors import DatasetError, SpecconvError

CONFIG = {
    "transforms": [
        {"type": "stft", "n_fft": 256, "hop_length": 128},
        {"type": "mel", "n_fft": 256, "hop_length": 128, "n_mels": [8, 16], "then": [{"layer": "decibel"}]},
    ]
}


@pytest.fixture(autouse=True)
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_module, "usable_cores", lambda: 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four clips of three lengths at 8 kHz, and one that is none."""
    random = np.random.default_rng(0)
    for name, length in (("a", 4_000), ("b", 4_000), ("c", 3_900), ("d", 9_000)):
        soundfile.write(tmp_path / f"{name}.wav", random.uniform(-0.5, 0.5, length), 8_000)
    (tmp_path / "broken.wav").write_bytes(b"RIFF no audio")
    return tmp_path


def test_every_transform_alone_all_together_and_their_sum(folder: Path) -> None:
    seen: list[SweepReport] = []
    report = time_sweep(open_dataset(folder, "folder"), load_config(CONFIG), against=["librosa"], show=seen.append)
    assert len(seen) == 3
    assert {row.status for row in report.rows} == {"ok"}
    names = list(dict.fromkeys(row.transform for row in report.rows))
    assert names == ["stft", "mel-8", "mel-16", "all together"]
    assert {row.library for row in report.rows if row.transform == "mel-8"} == {
        *("specconv", "specconv as librosa", "librosa")
    }
    last = [row.library for row in report.rows if row.transform == "all together"]
    assert last == ["specconv", "specconv, one by one", "librosa, one by one"]
    assert {row.clips for row in report.rows} == {4}
    assert report.rows[0].audio_seconds == pytest.approx((4_000 + 4_000 + 3_900 + 9_000) / 8_000)
    assert set(report.stages) == {"decode", "resample"}
    assert [name for name, _ in report.unreadable] == ["broken.wav"]


def test_shapes_are_those_that_would_be_stored(folder: Path) -> None:
    half = {**CONFIG, "shards": {"dtype": "float16"}}
    report = time_sweep(open_dataset(folder, "folder"), load_config(half))
    frames = sum(n // 128 + 1 for n in (4_000, 4_000, 3_900, 9_000))
    assert report.shapes["stft"].n_bins == 129
    assert report.shapes["stft"].n_frames == frames
    assert report.shapes["mel-16"].bytes == 16 * frames * 2


def test_a_folder_too_large_for_memory_is_decoded_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_module, "KEPT_SHARE", 0.0)
    monkeypatch.setattr(sweep_module, "CHUNK_SAMPLES", 8_000)
    report = time_sweep(open_dataset(folder, "folder"), load_config(CONFIG))
    assert "decoded anew" in report.notes[0]
    assert {row.status for row in report.rows} == {"ok"}
    assert report.rows[0].clips == 4


def test_clips_of_similar_length_are_computed_together(folder: Path) -> None:
    clips, _, _ = sweep_module._decoded(open_dataset(folder, "folder"), load_config(CONFIG), lambda _: None)
    (chunk,) = clips
    assert sorted(len(batch) for batch in chunk) == [1, 3]
    together = max(chunk, key=len)
    assert together.lengths == [3_900, 4_000, 4_000]
    assert torch.count_nonzero(together.waveforms[0, 3_900:]) == 0


def test_clips_without_a_frame_are_refused_by_transform(folder: Path) -> None:
    long_frames = {"transforms": [{"type": "stft", "n_fft": 8_192, "center": False}]}
    with pytest.raises(SpecconvError, match=r"the shortest clip, 3900 samples, has no frame of stft; set center: true"):
        time_sweep(open_dataset(folder, "folder"), load_config(long_frames))


def test_a_folder_in_which_nothing_can_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF no audio")
    with pytest.raises(DatasetError, match="none of 1 clips can be read"):
        time_sweep(open_dataset(tmp_path, "folder"), load_config(CONFIG))


def test_the_tables_say_what_would_be_stored_and_what_reading_costs(folder: Path) -> None:
    partial: list[str] = []

    def printed(report: SweepReport) -> str:
        text = io.StringIO()
        Console(file=text, width=100).print(sweep_tables(report))
        return text.getvalue()

    report = time_sweep(
        open_dataset(folder, "folder"), load_config(CONFIG), show=lambda so_far: partial.append(printed(so_far))
    )
    assert "Reading the folder once, in one thread: decode" in partial[0]
    assert "mel-16" in partial[0]  # also while its time is not known
    text = printed(report)
    line = next(line for line in text.splitlines() if line.startswith(" stft  ") and "KiB" in line)
    assert "129" in line
    assert line.count("%") == 3
    assert "broken.wav: " in text


def test_a_peer_that_lacks_some_is_compared_with_what_it_has(folder: Path) -> None:
    more = {"transforms": [*CONFIG["transforms"], {"type": "gammatonegram", "n_fft": 256, "n_bins": 8}]}
    report = time_sweep(open_dataset(folder, "folder"), load_config(more), against=["librosa"])
    subset = [row for row in report.rows if row.transform == "the 3 of librosa"]
    assert [row.library for row in subset] == ["specconv", "specconv, one by one", "librosa, one by one"]
    assert len(subset[0].parameters["transforms"]) == 3
    assert {row.library for row in report.rows if row.transform == "all together"} == {
        *("specconv", "specconv, one by one")
    }
