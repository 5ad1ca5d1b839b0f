"""Memory does not grow with the length of a recording or the number of clips, and where it ends the run goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hostile_files import wav
from separate_runs import Ended, Runs, contents

import specconv
from specconv.pipeline import converter
from specconv.transforms import TransformSet

RATE = 16_000
JOB: Mapping[str, Any] = {
    "audio": {"sample_rate": RATE},
    "transforms": [
        {"type": "stft", "n_fft": 512, "hop_length": 64, "scale": "decibel", "top_db": 80.0},
        {"type": "cqt", "n_bins": 24, "f_min": 220.0, "hop_length": 256},
    ],
}
STREAMED = {"specconv.pipeline.converter.LONG_BYTES": 2**22, "specconv.pipeline.converter.BLOCK_BYTES": 2**22}
WHOLE = {"specconv.pipeline.converter.LONG_BYTES": 2**40}
WINDOWS = {"specconv.pipeline.shard.WINDOW_BYTES": 2**22}
ALL_IN_ONE = {"specconv.pipeline.shard.WINDOW_CLIPS": 10**6, "specconv.pipeline.shard.WINDOW_BYTES": 2**40}


def peak(runs: Runs, audio: Path, job: Any, out: Path, constants: Mapping[str, int]) -> float:
    ended: Ended = runs.convert(audio, job, out, constants=constants)
    assert ended.report is not None, ended.said
    assert ended.report["failures"] == []
    return ended.peak


def recording(path: Path, minutes: int) -> Path:
    path.parent.mkdir()
    minute = np.random.default_rng(0).uniform(-0.5, 0.5, 60 * RATE).astype(np.float32)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for _ in range(minutes):
            file.write(minute)
    return path.parent


def test_a_recording_ten_times_as_long_takes_no_more(runs: Runs, tmp_path: Path) -> None:
    short, long = (recording(tmp_path / str(n) / "recording.wav", n) for n in (1, 10))
    base = peak(runs, short, JOB, tmp_path / "short out", STREAMED)
    assert peak(runs, long, JOB, tmp_path / "long out", STREAMED) < base + 100
    # And this is seen: as one piece its 37 MiB of samples and 150 MiB of specgrams take some times as much.
    assert peak(runs, long, JOB, tmp_path / "whole out", WHOLE) > base + 250


def test_ten_times_as_many_clips_take_no_more(runs: Runs, tmp_path: Path) -> None:
    wav(tmp_path / "clip.wav", 4000)
    for n in (500, 5000):
        (tmp_path / str(n)).mkdir()
        for i in range(n):
            (tmp_path / str(n) / f"{i}.wav").hardlink_to(tmp_path / "clip.wav")
    job = {**JOB, "transforms": [{"type": "mel", "n_fft": 512, "hop_length": 128, "n_mels": 64}]}

    def least(clips: str, out: str) -> float:
        """Of two runs: which thread takes new memory from the C library when, and so 20 to 60 MiB, is chance."""
        return min(peak(runs, tmp_path / clips, job, tmp_path / f"{out} {i}", WINDOWS) for i in range(2))

    base = least("500", "few")
    assert least("5000", "many") < base + 50
    job["shards"] = {"clips": 5000}
    assert least("5000", "large shards") < base + 60
    # And this is seen: all at once, their 76 MiB of samples and 39 MiB of specgrams are there, and more.
    assert peak(runs, tmp_path / "5000", job, tmp_path / "one window out", ALL_IN_ONE) > base + 100


class SmallDevice:
    """Takes in the place of a TransformSet only so many samples, padding included, and counts the batches."""

    def __init__(self, patch: pytest.MonkeyPatch, most: int, error: type[Exception], said: str) -> None:
        self.taken: list[int] = []
        self.refused = 0
        forward = TransformSet.forward

        def limited(
            transforms: TransformSet, waveforms: torch.Tensor, lengths: Sequence[int] | None = None
        ) -> dict[str, torch.Tensor]:
            if waveforms.numel() > most:
                self.refused += 1
                raise error(said)
            self.taken.append(len(waveforms))
            return forward(transforms, waveforms, lengths)

        patch.setattr(TransformSet, "forward", limited)


OUT_OF_MEMORY = [
    (torch.OutOfMemoryError, "CUDA out of memory. Tried to allocate 20.00 GiB."),
    (RuntimeError, "MPS backend out of memory (MPS allocated: 8 GiB)"),
    (RuntimeError, "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    (MemoryError, ""),
]


@pytest.fixture
def one_core() -> Iterator[None]:
    """One share: all of a window in one batch."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize(("error", "said"), OUT_OF_MEMORY)
def test_a_device_out_of_memory_is_given_half_with_the_same_numbers(
    clips: Path, small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception], said: str
) -> None:
    job = {**small, "shards": {"clips": 100}, "audio": {"sample_rate": RATE, "duration": 0.5}}
    specconv.convert(clips, job, tmp_path / "whole")
    device = SmallDevice(monkeypatch, 3 * 8000, error, said)  # nine clips do not fit, nor do five or four
    report = specconv.convert(clips, job, tmp_path / "out")
    assert (report.clips, len(report.failures)) == (9, 1)
    assert device.refused == 3
    assert sorted(device.taken) == [2, 2, 2, 3]
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_clip_that_does_not_fit_alone_is_the_only_one_that_fails(
    clips: Path, small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wav(clips / "4 large.wav", 30_000)
    SmallDevice(monkeypatch, 29_999, torch.OutOfMemoryError, "CUDA out of memory")
    report = specconv.convert(clips, small, tmp_path / "out")
    assert report.clips == 9
    lines = [json.loads(line) for line in (tmp_path / "out" / "errors.jsonl").read_text().splitlines()]
    assert [(line["path"], line["stage"]) for line in lines] == [("4 large.wav", "transform"), ("bad.wav", "open")]
    assert lines[0]["reason"] == "it does not fit into memory with its spectrograms"
    (clips / "4 large.wav").unlink()
    monkeypatch.undo()
    specconv.convert(clips, {**small, "shards": {"clips": 100}}, tmp_path / "without")
    with_, without = (specconv.ShardDataset(tmp_path / out, "mel") for out in ("out", "without"))
    for i in range(9):
        torch.testing.assert_close(with_[i][0], without[i][0], rtol=0, atol=0)


def test_a_recording_whose_blocks_do_not_fit_is_the_only_one_that_fails(
    clips: Path, small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specconv.pipeline.converter.LONG_BYTES", 2**18)
    wav(clips / "4 long.wav", 400_000)

    def none(*_: object) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("specconv.pipeline.long_clip.stream_specgrams", none)
    report = specconv.convert(clips, small, tmp_path / "out")
    assert report.clips == 9
    assert [(failure.path, failure.stage) for failure in report.failures] == [
        ("4 long.wav", "transform"),
        ("bad.wav", "open"),
    ]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_whose_memory_is_used_up_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a third of the memory that it would like the same run has the same numbers."""
    for i in range(64):
        wav(tmp_path / "audio" / f"{i}.wav", 10 * RATE)
    job = {**JOB, "transforms": [{"type": "stft", "n_fft": 2048, "hop_length": 64}]}
    monkeypatch.setitem(converter.BATCH_BYTES, "gpu", 2**40)
    specconv.convert(tmp_path / "audio", job, tmp_path / "whole", device="cuda")
    needed = torch.cuda.max_memory_allocated()
    torch.cuda.empty_cache()
    refused, forward = [], TransformSet.forward

    def watched(*arguments: Any) -> Any:
        try:
            return forward(*arguments)
        except torch.OutOfMemoryError:
            refused.append(len(arguments[1]))
            raise

    monkeypatch.setattr(TransformSet, "forward", watched)
    torch.cuda.set_per_process_memory_fraction(needed / 3 / torch.cuda.get_device_properties(0).total_memory)
    try:
        report = specconv.convert(tmp_path / "audio", job, tmp_path / "out", device="cuda")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert refused[0] == 64
    assert (report.clips, report.failures) == (64, [])
    whole, out = (specconv.ShardDataset(tmp_path / name, "stft") for name in ("whole", "out"))
    for i in range(64):
        torch.testing.assert_close(out[i][0], whole[i][0], rtol=0, atol=1e-5 * float(whole[i][0].max()))
