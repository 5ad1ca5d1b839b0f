"""The published experiments: their parameters, and one run of each in miniature."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from specconv.bench import suites
from specconv.bench.growth import LENGTHS
from specconv.bench.recordings import chords, maps_clips, musicnet_recordings
from specconv.bench.suites import MAPS, MUSICNET, SHARED_WITH_LIBROSA, run_suite
from specconv.config import load_config
from specconv.errors import DatasetError, ParameterError
from specconv.transforms import TransformParameters, transform_parameters


def test_maps_has_the_published_parameters() -> None:
    stft, mel, cqt = MAPS
    assert (stft["n_fft"], stft["hop_length"], stft["scale"]) == (2048, 512, "magnitude")
    assert (mel["n_fft"], mel["hop_length"], mel["n_mels"]) == (2048, 512, 128)
    assert (cqt["n_bins"], cqt["bins_per_octave"], cqt["f_min"], cqt["hop_length"]) == (84, 24, 55.0, 512)


def test_musicnet_has_the_published_34_types() -> None:
    assert Counter(given["type"] for given in MUSICNET) == {"stft": 10, "mel": 14, "cqt": 10}
    assert len(SHARED_WITH_LIBROSA) == 29
    assert len({given["name"] for given in MUSICNET}) == 34
    assert all(given["hop_length"] == 512 for given in MUSICNET)
    assert [(g["n_bins"], g["bins_per_octave"]) for g in MUSICNET if g["type"] == "cqt"] == [
        (84 * r, 12 * r) for r in range(1, 11)
    ]
    log = [given for given in MUSICNET if given.get("freq_scale") == "log"]
    assert [given["n_fft"] for given in log] == [256, 512, 1024, 2048, 4096]
    assert {(given["f_min"], given["f_max"]) for given in log} == {(1.0, 22_050.0)}


def test_every_published_transform_can_be_built() -> None:
    for given in (*MAPS, *MUSICNET):
        assert not list(transform_parameters(given).faults(44_100))


@pytest.mark.parametrize(("name", "transforms"), [("maps", MAPS), ("musicnet34", MUSICNET)])
def test_the_ready_configs_are_the_published_sweeps(name: str, transforms: Sequence[Mapping[str, Any]]) -> None:
    job = load_config(Path(__file__).parents[2] / "configs" / f"{name}.yaml")

    def nameless(parameters: TransformParameters) -> str:
        values = parameters.model_copy(update={"name": None}).model_dump()
        f_min = values.get("f_min")
        return repr({**values, "f_min": f_min and round(f_min, 3)})  # C1 is 32.703 Hz there

    assert sorted(map(nameless, job.transforms)) == sorted(nameless(transform_parameters(one)) for one in transforms)


def test_what_is_unknown_is_refused_with_what_there_is() -> None:
    with pytest.raises(ParameterError, match="'mapps' is unknown; choose from maps, musicnet"):
        run_suite("mapps")
    with pytest.raises(ParameterError, match="choose quick or paper"):
        run_suite("maps", scale="large")  # type: ignore[arg-type]


def test_maps_in_miniature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suites, "QUICK_CLIPS", 2)
    monkeypatch.setattr(suites, "MAPS", MAPS[:1])
    monkeypatch.setattr("specconv.bench.growth.LENGTHS", LENGTHS[:2])
    monkeypatch.setattr("specconv.bench.growth.BATCHES", (1, 2))
    said: list[str] = []
    report = run_suite("maps", against=["torchaudio"], progress=said.append)
    assert [row.library for row in report.rows] == ["specconv", "torchaudio", "torchaudio all at once", "bare FFT"]
    assert all(row.status == "ok" and row.clips == 2 for row in report.rows[:3])
    assert {row.suite for row in report.growth} == {"maps: clip length", "maps: batch size"}
    assert [row.audio_seconds for row in report.growth[:2]] == pytest.approx([8 * 20_000 / 44_100, 8 * 40_000 / 44_100])
    assert any("generated" in note for note in report.notes)
    assert any("torchaudio" in what for what in said)


def test_musicnet_in_miniature(monkeypatch: pytest.MonkeyPatch) -> None:
    few = [given for given in SHARED_WITH_LIBROSA if given["type"] == "stft"][:2]
    monkeypatch.setattr(suites, "QUICK_MINUTES", 0.01)
    monkeypatch.setattr(suites, "SHARED_WITH_LIBROSA", few)
    monkeypatch.setattr(suites, "MUSICNET", few)
    report = run_suite("musicnet")
    together = [row for row in report.rows if row.transform == "29 types together"]
    assert [row.library for row in together] == ["specconv", "specconv, one by one", "librosa, one by one"]
    parts = [row for row in report.rows if row.library == "librosa"]
    first, second, total = (row.timing.rounds for row in (*parts, together[2]) if row.timing)
    assert total == pytest.approx([a + b for a, b in zip(first, second, strict=True)])
    assert all(row.work == "together" for row in together)


def test_maps_itself_is_read_where_it_is(tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    folder = tmp_path / "AkPnBcht" / "UCHO" / "I32-96" / "C0-4-7"
    folder.mkdir(parents=True)
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (110_000, 2))
    for number, length in ((1, 110_000), (2, 110_000), (3, 50_000)):
        stem = folder / f"MAPS_UCHO_C0-4-7_I32-96_S0_n{number}_AkPnBcht"
        soundfile.write(stem.with_suffix(".wav"), samples[:length], 44_100)
        stem.with_suffix(".txt").write_text("OnsetTime\tOffsetTime\tMidiPitch\n0.5\t1.0\t60\n")
    for name in ("MAPS_ISOL_NO_F_S0_M60_AkPnBcht", "MAPS_UCHO_C0-4-7_I32-96_S0_n1_SptkBGCl"):  # others of MAPS
        soundfile.write(folder / f"{name}.wav", samples, 44_100)
        (folder / f"{name}.txt").write_text("OnsetTime\tOffsetTime\tMidiPitch\n0.5\t1.0\t60\n")
    clips = maps_clips(tmp_path, None)
    assert clips.lengths == [80_000, 80_000]
    assert "1 passed over as too short" in clips.description
    expected = samples[20_000:100_000].mean(axis=1)
    np.testing.assert_allclose(clips.first[0].numpy(), expected, atol=1e-4)
    assert len(maps_clips(tmp_path, 1).lengths) == 1


def test_a_folder_without_the_corpus_is_refused(demo_root: Path) -> None:
    with pytest.raises(DatasetError):
        maps_clips(demo_root / "musicnet", None)


def test_musicnet_itself_is_read_recording_by_recording(demo_root: Path) -> None:
    clips = musicnet_recordings(demo_root / "musicnet", None)
    assert clips.n_chunks == len(clips.lengths) >= 1
    for length, (batch,) in zip(clips.lengths, clips, strict=True):
        assert batch.waveforms.shape == (1, length)
    start = musicnet_recordings(demo_root / "musicnet", 0.01)
    assert start.lengths == [round(0.6 * 44_100)]


def test_the_generated_musicnet_is_as_long_as_the_real_one() -> None:
    clips = musicnet_recordings(None, None)
    assert clips.n_chunks == len(clips.lengths) == 320
    assert clips.n_samples / 44_100 / 3600 == pytest.approx(34.0, abs=0.01)
    assert clips.read(3)[0].waveforms.shape == (1, clips.lengths[3])
    assert len(set(clips.lengths)) > 300


def test_generated_chords_are_audio_and_repeat_themselves() -> None:
    clips = chords(3, 1_000)
    assert clips.shape == (3, 1_000)
    assert 0.1 < clips.abs().max() < 1.0
    assert (clips == chords(3, 1_000)).all()
    assert (clips != chords(3, 1_000, seed=1)).any()
