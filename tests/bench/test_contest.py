"""Libraries side by side, with a stand-in that can be made to misbehave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from stand_in_peer import StandIn

from specconv.bench.batching import fastest_batch, in_batches, is_out_of_memory
from specconv.bench.clips import Batch, Clips
from specconv.bench.contest import Contest
from specconv.bench.contestants import work_of
from specconv.bench.peers import Prepared
from specconv.bench.rows import Row
from specconv.errors import ParameterError
from specconv.transforms import transform_parameters

STFT: Mapping[str, Any] = {"type": "stft", "n_fft": 256, "hop_length": 128, "scale": "magnitude"}
MEL: Mapping[str, Any] = {"type": "mel", "n_fft": 256, "hop_length": 128, "n_mels": 8, "f_max": 4000.0}


def hold(noise: torch.Tensor, *transforms: Mapping[str, Any], **settings: Any) -> list[Row]:
    contest = Contest("a suite", 16_000, rounds=2, **{"against": ("standin",), **settings})
    return contest.time_transforms(transforms, Clips.of([noise], 16_000, "noise"))


@pytest.mark.usefixtures("stand_in")
def test_every_library_has_a_row_with_its_figures(noise: torch.Tensor) -> None:
    ours, theirs = hold(noise, STFT)
    assert (ours.library, theirs.library, theirs.version) == ("specconv", "standin", "1.2")
    for row in (ours, theirs):
        assert row.status == "ok"
        assert row.clips == 6
        assert row.audio_seconds == pytest.approx(3.0)
        assert row.timing is not None
        assert len(row.timing.rounds) == 2
        assert row.first_call_seconds is not None
        assert row.max_rel_error is not None
        assert row.max_rel_error < 1e-5
    assert theirs.parameters == {**STFT, "parity": "librosa"}
    assert ours.work == theirs.work


@pytest.mark.usefixtures("stand_in")
def test_the_floor_is_the_bytes_in_and_out_at_copy_speed(noise: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specconv.bench.contest.copy_bandwidth", lambda _: 1e6)
    row = hold(noise, STFT)[0]
    frames = 8_000 // 128 + 1
    assert row.floor_seconds == pytest.approx((6 * 8_000 + 6 * 129 * frames) * 4 / 1e6)


def test_a_fast_wrong_result_is_marked_wrong(noise: torch.Tensor, stand_in: StandIn) -> None:
    stand_in.spoil = torch.zeros_like
    theirs = hold(noise, STFT)[1]
    assert theirs.is_wrong
    assert theirs.max_rel_error == pytest.approx(1.0)


def test_specconv_itself_can_be_wrong(noise: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    real = transform_parameters(STFT).build(16_000, trainable=False)
    spoiled = torch.nn.Sequential(real, torch.nn.Hardtanh(0.0, 0.1))
    monkeypatch.setattr("specconv.bench.contestants.build_transform", lambda *_, **__: spoiled)
    assert hold(noise, STFT, against=())[0].is_wrong


def test_a_library_that_is_not_there_is_a_row_that_says_how_to_get_it(noise: torch.Tensor, stand_in: StandIn) -> None:
    stand_in.installed = False
    theirs = hold(noise, STFT)[1]
    assert theirs.status == "not run: standin is not installed: pip install standin"
    assert theirs.timing is None
    assert theirs.version == ""


def test_a_library_without_the_transform_says_so(noise: torch.Tensor, stand_in: StandIn) -> None:
    theirs = hold(noise, {"type": "stft", "n_fft": 256, "hop_length": 64}, MEL, against=("standin", "kapre"))
    assert [row.status for row in theirs if row.library == "standin"] == ["ok", "ok"]
    stand_in.transforms = frozenset({"mel"})  # type: ignore[misc]
    assert hold(noise, STFT)[1].status == "not run: standin has no stft"


def test_a_library_that_fails_at_its_first_call_is_not_run(noise: torch.Tensor, stand_in: StandIn) -> None:
    def fail(_: torch.Tensor) -> None:
        raise RuntimeError("no such thing\nand a long traceback")

    stand_in.spoil = fail
    assert hold(noise, STFT)[1].status == "not run: RuntimeError: no such thing"


def test_a_library_that_fails_later_has_no_time(noise: torch.Tensor, stand_in: StandIn) -> None:
    def fail_on_many(specgrams: torch.Tensor) -> torch.Tensor:
        if len(stand_in.batches) > 1:
            raise torch.OutOfMemoryError("no memory")
        return specgrams

    stand_in.spoil = fail_on_many
    theirs = hold(noise, STFT)[1]
    assert theirs.status.startswith("not run: OutOfMemoryError")
    assert theirs.timing is None


def in_two_chunks(noise: torch.Tensor) -> Clips:
    chunks = [[Batch(noise[:4])], [Batch(noise[4:])]]
    return Clips([8_000] * 6, 2, chunks.__getitem__, 16_000, "noise")


def test_times_of_several_chunks_add_up(noise: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    def a_second(call: Any, _: int) -> float:
        call()
        return 1.0

    monkeypatch.setattr("specconv.bench.contest.clock_of", lambda _: a_second)
    (row,) = Contest("a suite", 16_000, rounds=2).time_transforms([STFT], in_two_chunks(noise))
    assert row.timing is not None
    assert row.timing.rounds == (2.0, 2.0)


def test_a_library_that_fails_at_the_second_chunk_has_no_time(
    noise: torch.Tensor, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specconv.bench.contest.fastest_batch", lambda _, batch, *__, **___: len(batch))

    def fail_on_two(specgrams: torch.Tensor) -> torch.Tensor:
        if len(specgrams) == 2:
            raise torch.OutOfMemoryError("no memory")
        return specgrams

    stand_in.spoil = fail_on_two
    contest = Contest("a suite", 16_000, against=("standin",), rounds=2)
    ours, theirs = contest.time_transforms([STFT], in_two_chunks(noise))
    assert ours.timing is not None
    assert theirs.timing is None


@pytest.mark.usefixtures("stand_in")
def test_times_of_several_batches_add_up(noise: torch.Tensor) -> None:
    contest = Contest("a suite", 16_000, rounds=2)
    clips = Clips.of([noise, noise[:2, :4_000]], 16_000, "noise")
    (row,) = contest.time_transforms([STFT], clips)
    assert row.clips == 8
    assert row.audio_seconds == pytest.approx((6 * 8_000 + 2 * 4_000) / 16_000)
    assert row.timing is not None
    assert len(row.timing.rounds) == 2


def test_together_is_checked_against_one_by_one(noise: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    contest = Contest("a suite", 16_000, rounds=2)
    clips = Clips.of([noise], 16_000, "noise")
    named = [{**STFT, "name": "a"}, {**MEL, "name": "b"}]
    row = contest.time_together("both", named, clips)
    assert row.status == "ok"
    assert row.work == "together"

    class Mistaken(torch.nn.Module):
        def __init__(self, transforms: list[torch.nn.Module]) -> None:
            super().__init__()
            self.transforms = torch.nn.ModuleList(transforms)

        def forward(self, waveforms: torch.Tensor) -> dict[int, torch.Tensor]:
            return {i: 2 * transform(waveforms) for i, transform in enumerate(self.transforms)}

    monkeypatch.setattr("specconv.bench.contestants.TransformSet", Mistaken)
    assert contest.time_together("both", named, clips).is_wrong


def test_specconv_runs_again_where_a_peer_does_other_work(noise: torch.Tensor, stand_in: StandIn) -> None:
    stand_in.parity = "kapre"  # type: ignore[misc]
    rows = hold(noise, STFT)
    assert [row.library for row in rows] == ["specconv", "specconv as standin", "standin"]
    assert rows[0].work != rows[1].work == rows[2].work


def test_padding_and_norms_are_no_work_but_frames_are() -> None:
    def work(**changed: Any) -> str:
        return work_of(transform_parameters({**MEL, **changed}))

    assert work(pad_mode="constant", mel_scale="htk", norm=None) == work()
    assert work(center=False) != work()
    assert work(hop_length=64) != work()


def test_an_unknown_library_is_refused() -> None:
    with pytest.raises(ParameterError, match="no library called essentia; choose from librosa"):
        Contest("a suite", 16_000, against=("essentia",))


def test_the_batch_is_the_one_with_the_least_time_a_clip() -> None:
    asked: list[int] = []
    prepared = Prepared(lambda waveforms: asked.append(len(waveforms)))

    def clock(call: Any, _: int) -> float:
        asked.clear()
        call()
        return sum({1: 1.0, 4: 2.0, 16: 32.0}.get(size, 1e9) for size in asked)

    assert fastest_batch(prepared, Batch(torch.zeros(50, 10)), clock, clip_bytes=1, memory=10**9) == 4


def test_no_batch_is_larger_than_memory_or_library_allow() -> None:
    asked: list[int] = []
    prepared = Prepared(lambda waveforms: asked.append(len(waveforms)))

    def clock(call: Any, _: int) -> float:
        asked.clear()
        call()
        return float(len(asked))  # the larger the better

    waveforms = Batch(torch.zeros(50, 10))
    assert fastest_batch(prepared, waveforms, clock, clip_bytes=1, memory=10**9) == 50
    assert fastest_batch(prepared, waveforms, clock, clip_bytes=1, memory=24 * 5) == 5
    assert fastest_batch(Prepared(lambda _: None, largest_batch=1), waveforms, clock, clip_bytes=1, memory=10**9) == 1


def test_a_batch_that_needs_too_much_memory_ends_the_search() -> None:
    asked: list[int] = []

    def run(waveforms: torch.Tensor) -> None:
        asked.append(len(waveforms))
        if len(waveforms) > 4:
            raise MemoryError

    def clock(call: Any, _: int) -> float:
        asked.clear()
        call()
        return float(len(asked))

    assert fastest_batch(Prepared(run), Batch(torch.zeros(50, 10)), clock, clip_bytes=1, memory=10**9) == 4


def test_want_of_memory_is_known_in_all_its_forms() -> None:
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"))
    assert is_out_of_memory(torch.OutOfMemoryError())
    assert not is_out_of_memory(RuntimeError("something else"))


def test_padded_clips_go_one_by_one_through_a_library_that_cannot_pad() -> None:
    batch = Batch(torch.arange(12.0).reshape(3, 4), [4, 4, 2])
    shapes: list[tuple[int, ...]] = []
    in_batches(Prepared(lambda waveforms: shapes.append(tuple(waveforms.shape))), [batch], 3)()
    assert shapes == [(1, 4), (1, 4), (1, 2)]
    shapes.clear()
    in_batches(Prepared(lambda waveforms: shapes.append(tuple(waveforms.shape))), [batch], 2)()
    assert shapes == [(2, 4), (1, 2)]  # what is not padded goes together
    padded: list[tuple[tuple[int, ...], list[int]]] = []

    def run_padded(waveforms: torch.Tensor, lengths: Any) -> None:
        padded.append((tuple(waveforms.shape), list(lengths)))

    in_batches(Prepared(lambda _: None, run_padded=run_padded), [batch], 3)()
    assert padded == [((3, 4), [4, 4, 2])]


def test_layers_after_a_transform_are_specconvs_own(noise: torch.Tensor, stand_in: StandIn) -> None:
    rows = hold(noise, {**MEL, "then": [{"layer": "decibel"}]})
    assert [row.library for row in rows] == ["specconv", "specconv as standin", "standin"]
    assert {row.status for row in rows} == {"ok"}
    assert rows[0].work != rows[1].work == rows[2].work
    assert stand_in.batches


def test_a_library_is_timed_as_it_is_called_too(noise: torch.Tensor, stand_in: StandIn) -> None:
    assert [row.library for row in hold(noise, STFT, in_depth=True)] == ["specconv", "standin", "bare FFT"]
    stand_in.usual_batch = "clip by clip"  # type: ignore[misc]
    assert [row.library for row in hold(noise, STFT)] == ["specconv", "standin"]
    stand_in.batches.clear()
    rows = hold(noise, STFT, in_depth=True)
    assert [row.library for row in rows] == ["specconv", "standin", "standin clip by clip", "bare FFT"]
    assert {row.status for row in rows[:3]} == {"ok"}
    assert rows[3].status.startswith("not compared: no specgram")
    assert rows[2].work == rows[0].work
    assert stand_in.batches.count(1) > len(noise)
    stand_in.usual_batch = "all at once"  # type: ignore[misc]
    stand_in.batches.clear()
    rows = hold(noise, STFT, in_depth=True)
    assert rows[2].library == "standin all at once"
    assert stand_in.batches.count(len(noise)) > 1
