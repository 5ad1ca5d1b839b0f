"""From a folder of audio to shards, through the public function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import soundfile
import torch
import torchaudio

import specconv
from specconv.errors import AudioError, ConfigError, OutputError
from specconv.shards import summary

MEL = {"type": "mel", "n_fft": 512, "hop_length": 256, "n_mels": 32}
SHORT: Mapping[str, Any] = {"audio": {"sample_rate": 16000, "duration": 0.5}, "transforms": [MEL]}
WHOLE: Mapping[str, Any] = {"audio": {"sample_rate": 16000}, "transforms": [MEL]}


def write_noise(path: Path, seconds: float, rate: int = 16000, channels: int = 1) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(len(path.name)).uniform(-0.5, 0.5, (round(seconds * rate), channels))
    soundfile.write(path, samples, rate, subtype="FLOAT" if path.suffix == ".wav" else None)
    return samples


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven clips of different lengths in two classes."""
    for i in range(7):
        write_noise(tmp_path / "audio" / ("cat", "dog")[i % 2] / f"{i}.wav", 0.2 + 0.31 * i)
    return tmp_path / "audio"


def stored(out: Path) -> dict[str, np.ndarray]:
    """Every clip's specgram by id, read with plain h5py."""
    found = {}
    for path in sorted(out.glob("shard-*.h5")):
        with h5py.File(path) as file:
            values = file["specgrams/mel/values"][:]
            offsets = file["specgrams/mel/offsets"][:] if "offsets" in file["specgrams/mel"] else None
            for row, name in enumerate(file["clips/id"].asstr()[:]):
                found[name] = values[row] if offsets is None else values[:, offsets[row] : offsets[row + 1]]
    return found


def test_a_folder_becomes_what_torchaudio_computes_of_each_file(tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    samples = {name: write_noise(audio / "x" / f"{name}.wav", s)[:, 0] for name, s in (("a", 0.4), ("b", 1.1))}
    job = {"audio": {"sample_rate": 16000}, "transforms": [{**MEL, "parity": "torchaudio"}]}
    report = specconv.convert(audio, job, tmp_path / "out")
    assert (report.clips, report.failures, report.shards) == (2, [], 1)
    reference = torchaudio.transforms.MelSpectrogram(16000, n_fft=512, hop_length=256, n_mels=32)
    found = stored(tmp_path / "out")
    for name, waveform in samples.items():
        expected = reference(torch.from_numpy(waveform.astype(np.float32))).numpy()
        clip = next(values for id_, values in found.items() if name in id_)
        assert clip.shape == expected.shape
        np.testing.assert_allclose(clip, expected, atol=1e-5 * expected.max())


def test_a_clip_does_not_depend_on_its_shard_or_its_neighbours(folder: Path, tmp_path: Path) -> None:
    specconv.convert(folder, WHOLE, tmp_path / "together")
    specconv.convert(folder, {**WHOLE, "shards": {"clips": 1}}, tmp_path / "alone")
    together, alone = stored(tmp_path / "together"), stored(tmp_path / "alone")
    assert len(together) == len(alone) == 7
    for name, values in together.items():
        np.testing.assert_allclose(values, alone[name], atol=1e-6 * values.max(), err_msg=name)


def test_long_clips_stream_with_the_numbers_of_the_whole(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = [{"layer": "normalization", "over": "freq"}]
    job = {**WHOLE, "transforms": [{**MEL, "scale": "decibel", "top_db": 40.0, "then": layers}]}
    specconv.convert(folder, job, tmp_path / "whole")
    monkeypatch.setattr("specconv.pipeline.converter.LONG_BYTES", 1)
    monkeypatch.setattr("specconv.pipeline.converter.BLOCK_BYTES", 2**14)
    report = specconv.convert(folder, job, tmp_path / "streamed")
    assert report.audio_seconds == pytest.approx(sum(0.2 + 0.31 * i for i in range(7)), abs=1e-3)
    whole, streamed = stored(tmp_path / "whole"), stored(tmp_path / "streamed")
    for name, values in whole.items():
        assert values.shape == streamed[name].shape
        np.testing.assert_allclose(values, streamed[name], atol=2e-5 * np.abs(values).max(), err_msg=name)


def test_shards_are_cut_the_same_way_every_time(folder: Path, tmp_path: Path) -> None:
    job = {**SHORT, "shards": {"clips": 3}}
    for out in ("one", "two"):
        specconv.convert(folder, job, tmp_path / out, workers=3 if out == "two" else 1)
    names = [path.name for path in sorted((tmp_path / "one").glob("*.h5"))]
    assert names == ["shard-00000.h5", "shard-00001.h5", "shard-00002.h5"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_labels_lengths_and_rates_are_stored(folder: Path, tmp_path: Path) -> None:
    write_noise(folder / "dog" / "stereo.flac", 0.3, rate=44100, channels=2)
    specconv.convert(folder, SHORT, tmp_path / "out")
    data = specconv.ShardDataset(tmp_path / "out", "mel")
    specgram, labels = next(data[i] for i in range(len(data)) if "stereo" in data[i][1]["id"])
    assert specgram.shape == (32, 1 + 8000 // 256)
    assert labels["label"] == "dog"
    with h5py.File(tmp_path / "out" / "shard-00000.h5") as file:
        row = next(i for i, name in enumerate(file["clips/id"].asstr()[:]) if "stereo" in name)
        assert file["clips/source_sample_rate"][row] == 44100
        assert file.attrs["complete"]


def test_an_unreadable_file_is_written_down_and_the_rest_is_converted(folder: Path, tmp_path: Path) -> None:
    (folder / "cat" / "broken.wav").write_text("this is no audio")
    report = specconv.convert(folder, SHORT, tmp_path / "out")
    assert report.clips == 7
    assert [failure.path for failure in report.failures] == ["cat/broken.wav"]
    lines = [json.loads(line) for line in (tmp_path / "out" / "errors.jsonl").read_text().splitlines()]
    assert [(line["path"], line["stage"]) for line in lines] == [("cat/broken.wav", report.failures[0].stage)]
    assert json.loads((tmp_path / "out" / "index.json").read_text())["failed"] == 1
    again = specconv.convert(folder, SHORT, tmp_path / "out")
    assert (again.clips, again.kept_shards, len(again.failures)) == (0, 1, 1)


def test_strict_stops_at_the_first_and_leaves_no_half_shard(folder: Path, tmp_path: Path) -> None:
    (folder / "cat" / "broken.wav").write_text("this is no audio")
    with pytest.raises(AudioError, match=r"broken\.wav"):
        specconv.convert(folder, SHORT, tmp_path / "out", strict=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["unfinished.json"]


def test_a_run_that_stopped_is_taken_up(folder: Path, tmp_path: Path) -> None:
    job = {**SHORT, "shards": {"clips": 2}}
    specconv.convert(folder, job, tmp_path / "reference")
    specconv.convert(folder, job, tmp_path / "out")
    (tmp_path / "out" / "shard-00001.h5").unlink()
    (tmp_path / "out" / "index.json").unlink()
    report = specconv.convert(folder, job, tmp_path / "out")
    assert (report.shards, report.kept_shards) == (1, 3)
    for path in (tmp_path / "reference").glob("*.h5"):
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()
    one, two = (json.loads((tmp_path / name / "index.json").read_text()) for name in ("reference", "out"))
    assert {**one, "created": ""} == {**two, "created": ""}


def test_another_configs_shards_are_refused_unless_overwritten(folder: Path, tmp_path: Path) -> None:
    specconv.convert(folder, SHORT, tmp_path / "out")
    other = {**SHORT, "transforms": [{**MEL, "n_mels": 16}]}
    before = (tmp_path / "out" / "shard-00000.h5").read_bytes()
    with pytest.raises(OutputError, match="another config"):
        specconv.convert(folder, other, tmp_path / "out")
    assert (tmp_path / "out" / "shard-00000.h5").read_bytes() == before
    specconv.convert(folder, other, tmp_path / "out", overwrite=True)
    assert next(iter(stored(tmp_path / "out").values())).shape[0] == 16


class Listening:
    """Progress that keeps what it is told."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.clips = 0

    def start(self, *, clips: int, done: int) -> None:
        self.total, self.done = clips, done

    def advance(self, *, clips: int, audio_seconds: float) -> None:
        self.clips += clips
        self.seconds = audio_seconds

    def notice(self, message: str) -> None:
        self.notices.append(message)


def test_changed_audio_is_noticed_and_its_shard_made_again(folder: Path, tmp_path: Path) -> None:
    job = {**SHORT, "shards": {"clips": 2}}
    specconv.convert(folder, job, tmp_path / "out")
    before = stored(tmp_path / "out")
    write_noise(folder / "cat" / "0.wav", 0.5)
    listening = Listening()
    report = specconv.convert(folder, job, tmp_path / "out", progress=listening)
    assert (report.shards, report.kept_shards) == (1, 3)
    assert any("changed" in notice for notice in listening.notices)
    assert (listening.total, listening.done, listening.clips) == (7, 5, 2)
    after = stored(tmp_path / "out")
    assert [name for name in before if not np.array_equal(before[name], after[name])] == [
        name for name in before if name.endswith("0") or "0.wav" in name
    ]


def test_removed_clips_leave_no_shard_behind(folder: Path, tmp_path: Path) -> None:
    job = {**SHORT, "shards": {"clips": 2}}
    specconv.convert(folder, job, tmp_path / "out")
    for i in (5, 6):
        next(folder.rglob(f"{i}.wav")).unlink()
    specconv.convert(folder, job, tmp_path / "out")
    assert len(stored(tmp_path / "out")) == 5
    assert len(list((tmp_path / "out").glob("*.h5"))) == 3


def test_parts_together_are_the_whole(folder: Path, tmp_path: Path) -> None:
    job = {**SHORT, "shards": {"clips": 2}}
    specconv.convert(folder, job, tmp_path / "reference")
    for part in ((1, 2), (2, 2)):
        assert not (tmp_path / "out" / "index.json").exists()
        specconv.convert(folder, job, tmp_path / "out", part=part)
    assert (tmp_path / "out" / "index.json").exists()
    for path in (tmp_path / "reference").glob("*.h5"):
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()


def test_rates_that_differ_need_a_sample_rate(folder: Path, tmp_path: Path) -> None:
    write_noise(folder / "cat" / "z.wav", 0.5, rate=8000)
    report = specconv.convert(folder, {"audio": {}, "transforms": [MEL]}, tmp_path / "out")
    assert report.clips == 7
    assert "set audio.sample_rate" in report.failures[0].reason


def test_faults_that_need_the_sample_rate_touch_nothing(folder: Path, tmp_path: Path) -> None:
    job = {"audio": {}, "transforms": [{**MEL, "f_max": 9000.0}]}
    with pytest.raises(ConfigError, match=r"transforms\[0\]\.f_max.*9000 Hz"):
        specconv.convert(folder, job, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_normalization_over_the_batch_cannot_be_stored(folder: Path, tmp_path: Path) -> None:
    job = {**SHORT, "transforms": [{**MEL, "then": [{"layer": "normalization", "over": "batch"}]}]}
    with pytest.raises(ConfigError, match="batch"):
        specconv.convert(folder, job, tmp_path / "out")


@pytest.mark.parametrize("compression", ["gzip", "lzf", "zstd"])
def test_float16_and_compression_keep_the_numbers(folder: Path, tmp_path: Path, compression: str) -> None:
    job = {**SHORT, "transforms": [{**MEL, "scale": "decibel"}]}
    specconv.convert(folder, job, tmp_path / "plain")
    packed = {**job, "shards": {"dtype": "float16", "compression": compression}}
    specconv.convert(folder, packed, tmp_path / "packed")
    plain, small = (specconv.ShardDataset(tmp_path / name, "mel") for name in ("plain", "packed"))
    for i in range(len(plain)):
        torch.testing.assert_close(small[i][0].float(), plain[i][0], atol=0.07, rtol=0)


def test_corpora_are_converted_with_their_notes(demo_root: Path, tmp_path: Path) -> None:
    for corpus in ("maps", "musicnet"):
        report = specconv.convert(demo_root / corpus, WHOLE, tmp_path / corpus)
        assert report.failures == []
        with h5py.File(tmp_path / corpus / "shard-00000.h5") as file:
            notes = file["labels/notes"][:]
            assert len(notes) > 0
            assert notes["clip"].max() < len(file["clips/id"])
            assert set(file["labels/split"].asstr()[:]) <= {"train", "test", "dropped", ""}


def test_values_too_small_for_float16_are_counted(tmp_path: Path) -> None:
    """Quiet audio: its power is below what float16 holds."""
    (tmp_path / "audio").mkdir()
    noise = 1e-3 * np.random.default_rng(0).uniform(-1, 1, (3, 16000))
    for i, samples in enumerate(noise):
        soundfile.write(tmp_path / "audio" / f"{i}.wav", samples, 16000, subtype="FLOAT")
    power = {"type": "mel", "n_fft": 512, "n_mels": 16, "scale": "power", "name": "power", "norm": "slaney"}
    job = {"transforms": [power, {**power, "name": "level", "scale": "decibel"}], "shards": {"clips": 2}}
    report = specconv.convert(tmp_path / "audio", job, tmp_path / "exact")
    assert report.float16_underflow == {}
    half = {**job, "shards": {"clips": 2, "dtype": "float16"}}
    report = specconv.convert(tmp_path / "audio", half, tmp_path / "half")
    exact, stored = (specconv.ShardDataset(tmp_path / name, "power") for name in ("exact", "half"))
    values = torch.cat([exact[i][0].flatten() for i in range(3)])
    kept = torch.cat([stored[i][0].flatten() for i in range(3)])
    lossy = (values.abs() < 2.0**-14) & (values != kept)
    assert report.float16_underflow == {"power": lossy.double().mean().item(), "level": 0.0}
    assert report.float16_underflow["power"] > 0.9
    assert specconv.convert(tmp_path / "audio", half, tmp_path / "half").float16_underflow == report.float16_underflow
    assert summary(tmp_path / "half").specgrams["power"].underflow == report.float16_underflow["power"]
    assert summary(tmp_path / "exact").specgrams["power"].underflow is None
