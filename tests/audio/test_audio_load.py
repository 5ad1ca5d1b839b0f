from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from specconv.audio import AudioFormat, decode, load, load_at_most, resampler, stream
from specconv.audio import source as source_module
from specconv.audio.source import Source
from specconv.errors import AudioError, ParameterError


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, samples = tmp_path_factory.mktemp("recordings"), np.random.default_rng(5)
    paths = []
    for name, rate, channels, n, subtype in [
        ("a.wav", 44100, 2, 70_001, "PCM_16"),
        ("b.flac", 48000, 1, 50_000, "PCM_24"),
        ("c.wav", 44056, 3, 33_333, "FLOAT"),
        ("d.mp3", 22050, 2, 40_000, None),
        ("e.ogg", 16000, 1, 30_000, None),
        ("f.wav", 16000, 1, 1, "PCM_U8"),
    ]:
        paths.append(folder / name)
        soundfile.write(paths[-1], samples.uniform(-0.9, 0.9, (n, channels)), rate, subtype=subtype)
    return paths


@settings(max_examples=60, deadline=None)
@given(
    which=st.integers(0, 5),
    sample_rate=st.sampled_from([None, 16000, 44100, 8000, 22050, 15999]),
    channels=st.sampled_from(["mono", "first"]),
    duration=st.one_of(st.none(), st.floats(0.001, 3)),
    block_samples=st.integers(1, 60_000),
    read_samples=st.sampled_from([1 << 20, 7_919]),
)
def test_stream_gives_the_bits_of_load(
    recordings, which, sample_rate, channels, duration, block_samples, read_samples
) -> None:
    wanted = AudioFormat(sample_rate, channels, duration)
    clip = load(recordings[which], wanted)
    block_samples = max(block_samples, len(clip.waveform) // 500)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source_module, "_BLOCK_SAMPLES", read_samples)
        blocks = stream(recordings[which], wanted, block_samples)
        got = list(blocks)
    assert all(len(block) == block_samples for block in got[:-1])
    assert torch.equal(torch.cat(got), clip.waveform)
    assert (blocks.n_samples, blocks.sample_rate) == (clip.n_samples, clip.sample_rate)
    assert blocks.source_sample_rate == clip.source_sample_rate


@settings(max_examples=60, deadline=None)
@given(
    which=st.integers(0, 4),
    sample_rate=st.sampled_from([None, 16000, 44100, 15999]),
    duration=st.floats(0.001, 3),
)
def test_duration_cuts_what_decoding_all_would_give(recordings, which, sample_rate, duration) -> None:
    whole = load(recordings[which], AudioFormat(sample_rate))
    cut = load(recordings[which], AudioFormat(sample_rate, duration=duration))
    n = round(duration * cut.sample_rate)
    assert len(cut.waveform) == n
    assert cut.n_samples == min(n, len(whole.waveform))
    assert torch.equal(cut.waveform[: cut.n_samples], whole.waveform[:n])
    assert not cut.waveform[cut.n_samples :].any()


def test_load_is_decode_then_resample(write) -> None:
    path = write(sample_rate=44100, n=20_000)
    waveform = decode(path).waveform[0] / 32768
    clip = load(path, AudioFormat(16000))
    assert torch.equal(clip.waveform, resampler(44100, 16000)(waveform))
    assert clip.waveform.dtype == torch.float32
    assert (clip.sample_rate, clip.source_sample_rate, clip.n_samples) == (16000, 44100, 7257)
    assert set(clip.seconds) == {"decode", "resample"}


def test_duration_decodes_no_more_than_it_needs(write, monkeypatch) -> None:
    path, asked = write(sample_rate=44100, n=441_000), []
    read = source_module.Source._read
    monkeypatch.setattr(source_module.Source, "_read", lambda self, n, done: asked.append(n) or read(self, n, done))
    load(path, AudioFormat(16000, duration=1.0))
    assert 44100 <= sum(asked) <= 44300  # and a filter


def test_one_sample_is_enough(write) -> None:
    clip = load(write(samples=np.array([16384], np.int16), sample_rate=48000), AudioFormat(16000, duration=0.001))
    assert clip.n_samples == 1
    assert len(clip.waveform) == 16


@pytest.mark.parametrize("sample_rate", [1, 768_000])
def test_absurd_rates_end_in_a_waveform_or_an_error(write, sample_rate: int) -> None:
    path = write(sample_rate=sample_rate)
    assert load(path, AudioFormat()).sample_rate == sample_rate
    if sample_rate == 1:
        with pytest.raises(AudioError, match="1 Hz to 16000 Hz is a factor of more than 1024") as raised:
            load(path, AudioFormat(16000))
        assert raised.value.stage == "resample"
        with pytest.raises(AudioError, match="1 Hz to 16000 Hz"):
            stream(path, AudioFormat(16000), 100)
    else:
        assert load(path, AudioFormat(16000)).n_samples == 167


def test_duration_shorter_than_a_sample_of_the_file(write) -> None:
    with pytest.raises(AudioError, match=r"0.1 s is no sample at 1 Hz; give 1.0 s"):
        load(write(sample_rate=1), AudioFormat(duration=0.1))


def test_threads_load_at_once(recordings) -> None:
    wanted = AudioFormat(16000)
    alone = [load(path, wanted).waveform for path in recordings]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda path: load(path, wanted).waveform, recordings * 5))
    assert all(torch.equal(a, b) for a, b in zip(alone * 5, together, strict=True))


def test_long_recordings_stream_in_bounded_memory(tmp_path: Path) -> None:
    seconds, rate = 3600, 16000
    path = tmp_path / "hour.wav"
    soundfile.write(path, np.zeros((1, 2), np.int16), rate)
    header = bytearray(path.read_bytes()[:-4])
    n_bytes = seconds * rate * 4
    header[-4:], header[4:8] = n_bytes.to_bytes(4, "little"), (n_bytes + 36).to_bytes(4, "little")
    path.write_bytes(header)
    os.truncate(path, len(header) + n_bytes)  # silence that takes no space on the disk
    process = psutil.Process()
    before = highest = process.memory_info().rss
    received = 0
    with stream(path, AudioFormat(8000), 8000 * 30) as blocks:
        for block in blocks:
            received += len(block)
            highest = max(highest, process.memory_info().rss)
    assert received == blocks.n_samples == seconds * 8000
    assert highest - before < 60e6  # the hour would take 230 MB as read and 115 MB as given


def test_a_stream_closes_its_file(write) -> None:
    process, path = psutil.Process(), write(n=50_000)
    n_open = process.num_fds()
    with stream(path, AudioFormat(), 100) as blocks:
        next(blocks)
        assert process.num_fds() == n_open + 1
    with pytest.raises(StopIteration):
        next(blocks)
    used_up = stream(path, AudioFormat(), 100)
    list(used_up)
    abandoned = stream(path, AudioFormat(), 100)
    next(abandoned)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del abandoned
        gc.collect()
    assert process.num_fds() == n_open


def test_failing_loads_close_their_files(write, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    process, n_open = psutil.Process(), psutil.Process().num_fds()
    for path in (tmp_path / "text.wav", write(samples=np.zeros((0, 1))), write("b.wav", sample_rate=1)):
        with pytest.raises(AudioError):
            load(path, AudioFormat(16000))
        with pytest.raises(AudioError):
            list(stream(path, AudioFormat(16000), 10))
    assert process.num_fds() == n_open


def test_blocks_hold_a_sample(write) -> None:
    with pytest.raises(ParameterError, match="block_samples is 0; at least 1"):
        stream(write(), AudioFormat(), 0)


@pytest.mark.parametrize("sample_rate", [None, 8000, 32_000])
def test_at_most_so_many_samples_are_loaded(write, monkeypatch, sample_rate: int | None) -> None:
    path, audio_format = write("a.flac", n=50_000), AudioFormat(sample_rate)
    n_samples = load(path, audio_format).n_samples
    clip = load_at_most(path, audio_format, n_samples)
    assert clip is not None
    assert torch.equal(clip.waveform, load(path, audio_format).waveform)
    monkeypatch.setattr(Source, "blocks", None)  # the header is enough
    assert load_at_most(path, audio_format, n_samples - 1) is None


def test_where_the_header_does_not_say_no_more_is_decoded_than_may_be_loaded(write, monkeypatch) -> None:
    path = write("a.flac", n=50_000)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    monkeypatch.setattr("specconv.audio.source._BLOCK_SAMPLES", 1000)
    decoded = 0
    blocks = Source.blocks

    def counted(source: Source, n_samples: int | None = None) -> Iterator[Any]:
        nonlocal decoded
        for block in blocks(source, n_samples):
            decoded += len(block)
            yield block

    monkeypatch.setattr(Source, "blocks", counted)
    assert load_at_most(path, AudioFormat(), 9_999) is None
    assert decoded == 10_000
    assert load_at_most(path, AudioFormat(duration=1.0), 15_999) is None  # 16,000 samples, whatever is in the file
    assert load_at_most(path, AudioFormat(duration=1.0), 16_000).n_samples == 16_000
