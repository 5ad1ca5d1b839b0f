"""The demo: every label is in the sound, where it says, and a seed makes the same bytes again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from specconv.datasets import open_dataset
from specconv.datasets.demo import SIZES, make_demo
from specconv.datasets.synthetic.piano_triads import _versions
from specconv.datasets.synthetic.scores import PHRASES, harmonise
from specconv.datasets.synthetic.tones import Played, decaying_partials, frequency, tone
from specconv.errors import OutputError, ParameterError

TRIAD = {"major": (0, 4, 7), "minor": (0, 3, 7), "diminished": (0, 3, 6), "augmented": (0, 4, 8)}


ROOTS = ("Cn", "Df", "Dn", "Ef", "En", "Fn", "Gf", "Gn", "Af", "An", "Bf", "Bn")


def peaks(waveform: NDArray[np.float64], sample_rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The peaks of the spectrum above 2 % of the highest: their MIDI pitches, and levels relative to it."""
    n_fft = 4 * waveform.size
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(waveform.size), n_fft))
    spectrum /= spectrum.max()
    middle = spectrum[1:-1]
    at = 1 + np.flatnonzero((middle > spectrum[:-2]) & (middle >= spectrum[2:]) & (middle > 0.02))
    return 69 + 12 * np.log2(at * sample_rate / n_fft / 440), spectrum[at]


@pytest.mark.parametrize("field", range(0, 96, 7))
def test_triads_sound_as_named(demo_root: Path, field: int) -> None:
    clip = open_dataset(demo_root / "piano_triads").clips[field]
    octave, chord = clip.labels["octave"], str(clip.labels["chord"])
    assert isinstance(octave, int)
    root = 12 * (octave + 1) + ROOTS.index(str(clip.labels["root"]))
    waveform, sample_rate = soundfile.read(clip.path)
    pitches, levels = peaks(waveform[:32_000], sample_rate)
    # within an octave above the root there are the first partials only
    heard = pitches[(levels > 0.1) & (pitches > root - 1) & (pitches < root + 11.5)] - root
    np.testing.assert_allclose(heard, TRIAD[chord], atol=0.15)


@pytest.mark.parametrize("corpus", ["maps", "musicnet"])
def test_every_labelled_note_is_in_the_sound(demo_root: Path, corpus: str) -> None:
    listing = open_dataset(demo_root / corpus)
    heard, in_between = [], []
    for clip in listing.clips:
        waveform, sample_rate = soundfile.read(clip.path, always_2d=True)
        mono = waveform.mean(axis=1)
        for note in listing.dataset.read_notes(clip):
            first, last = (round(note[side] * sample_rate) for side in ("onset_s", "offset_s"))
            # too short or too low a note cannot be told from its neighbours
            if last - first > 0.45 * sample_rate and note["pitch"] >= 43:
                pitches, _ = peaks(mono[first:last], sample_rate)
                heard.append(np.abs(pitches - note["pitch"]).min() < 0.15)
                in_between.append(np.abs(pitches - note["pitch"] - 0.5).min() < 0.15)
    assert len(heard) > 25
    assert all(heard)
    assert np.mean(in_between) < 0.15  # or hearing a note would mean nothing


def test_sound_starts_at_the_first_onset_and_ends_after_the_last_offset(demo_root: Path) -> None:
    for corpus, within in (("maps", 0.003), ("musicnet", 0.012)):
        listing = open_dataset(demo_root / corpus)
        for clip in listing.clips:
            waveform, sample_rate = soundfile.read(clip.path, always_2d=True)
            level = np.abs(waveform).max(axis=1)
            notes = listing.dataset.read_notes(clip)
            first, last = (round(t * sample_rate) for t in (notes["onset_s"][0], notes["offset_s"].max()))
            assert level[:first].max() == 0, clip.id
            assert level[first : first + round(within * sample_rate)].max() > 0.02 * level.max(), clip.id
            assert level[last + round(0.25 * sample_rate) :].max() == 0, clip.id


def test_single_onsets_rise_out_of_the_sound(demo_root: Path) -> None:
    """Energy at the pitch of each note of a chromatic run, just after its onset against just before it."""
    listing = open_dataset(demo_root / "maps")
    clip = next(clip for clip in listing.clips if clip.labels["style"] == "CH0.1")
    waveform, sample_rate = soundfile.read(clip.path, always_2d=True)
    mono = waveform.mean(axis=1)
    n = round(0.08 * sample_rate)
    window = np.hanning(n)
    for note in listing.dataset.read_notes(clip):
        onset = round(note["onset_s"] * sample_rate)
        wave = np.exp(-2j * np.pi * frequency(int(note["pitch"])) * np.arange(n) / sample_rate) * window
        before, after = (abs(wave @ mono[start : start + n]) for start in (onset - n, onset + 100))
        assert after > 2 * before


def test_layout_is_each_corpus_own(demo_root: Path) -> None:
    for folder, sample_rate, channels, subtype in (
        ("piano_triads", 16_000, 1, "PCM_16"),
        ("maps", 44_100, 2, "PCM_16"),
        ("musicnet", 44_100, 1, "FLOAT"),
    ):
        clips = open_dataset(demo_root / folder).clips
        found = {(i.samplerate, i.channels, i.subtype) for i in (soundfile.info(clip.path) for clip in clips)}
        assert found == {(sample_rate, channels, subtype)}
    triads = open_dataset(demo_root / "piano_triads").clips
    assert {soundfile.info(clip.path).frames for clip in triads} == {64_000}
    recordings = open_dataset(demo_root / "musicnet").clips
    assert len({soundfile.info(clip.path).frames for clip in recordings}) == len(recordings)
    assert {clip.labels["split"] for clip in recordings} == {"train", "test"}
    for clip in open_dataset(demo_root / "maps").clips:
        assert clip.path.with_name(f"{clip.id}.mid").is_file()
    usual = [clip for clip in open_dataset(demo_root / "maps").clips if clip.labels["set"] == "UCHO"]
    assert all(soundfile.info(clip.path).frames >= 100_000 for clip in usual)


def test_louder_is_brighter_and_nothing_clips(demo_root: Path) -> None:
    rng = np.random.default_rng
    soft, loud = (tone(Played(0, 16_000, 60, velocity), 16_000, rng(1))[:16_000] for velocity in (30, 120))

    def centroid(sound: NDArray[np.float64]) -> float:
        power = np.abs(np.fft.rfft(sound)) ** 2
        return float((power @ np.arange(power.size)) / power.sum())

    assert centroid(loud) > 1.3 * centroid(soft)
    assert np.abs(loud).max() > 3 * np.abs(soft).max()
    for clip in open_dataset(demo_root, "folder").clips:
        assert 0.01 < np.abs(soundfile.read(clip.path)[0]).max() <= 0.9001


def test_partials_are_their_definition() -> None:
    rng = np.random.default_rng(0)
    f, d, a, p = rng.uniform(20, 5000, 7), rng.uniform(0, 9, 7), rng.uniform(0, 1, 7), rng.uniform(0, 6, 7)
    t = np.arange(1000)[:, None] / 16_000
    expected = (a * np.exp(-d * t) * np.sin(2 * np.pi * f * t + p)).sum(axis=1)
    np.testing.assert_allclose(decaying_partials(f, d, a, p, 1000, 16_000), expected, atol=1e-11)


def test_harmony_moves_little_and_keeps_its_chords() -> None:
    for degrees in PHRASES:
        chords = harmonise(48, degrees * 3)
        for degree, chord in zip(degrees * 3, chords, strict=True):
            root = (48 + (0, 2, 4, 5, 7, 9, 11)[degree]) % 12
            assert chord[0] % 12 == root
            assert len({pitch % 12 for pitch in chord}) == 3
            assert list(chord) == sorted(chord)
        steps = np.abs(np.diff([chord[1:] for chord in chords], axis=0))
        assert steps.max() <= 7
        assert 36 <= min(map(min, chords)) <= max(map(max, chords)) <= 84


def test_all_sizes_of_triads_are_distinct_and_full_is_the_whole_corpus() -> None:
    for size, count in {"small": 288, "medium": 1_440, "full": 43_200}.items():
        versions = list(_versions(SIZES[size].triads))
        assert 48 * len(set(versions)) == 48 * len(versions) == count
    # a chord's octave and dynamic are a shift of these steps, so all of them come up
    assert set(versions) == {(o, d, take) for o in range(3) for d in range(3) for take in range(100)}


def test_same_seed_same_bytes_other_seed_other_music(demo_root: Path, tmp_path: Path) -> None:
    def digests(root: Path) -> dict[str, str]:
        files = (path for path in root.rglob("*") if path.is_file())
        return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    first = digests(demo_root)
    make_demo(tmp_path / "same", size="tiny")
    assert digests(tmp_path / "same") == first
    make_demo(tmp_path / "other", size="tiny", seed=1)
    other = digests(tmp_path / "other")
    shared = other.keys() & first.keys()
    wavs = [name for name in shared if name.endswith(".wav")]
    assert len(wavs) > 60
    assert not [name for name in wavs if other[name] == first[name]]


def test_report_counts_what_is_there(tmp_path: Path) -> None:
    report = make_demo(tmp_path, size="tiny")
    for folder, written in report.folders.items():
        clips = open_dataset(tmp_path / folder).clips
        infos = [soundfile.info(clip.path) for clip in clips]
        assert written.clips == len(clips)
        assert written.seconds == pytest.approx(sum(info.duration for info in infos))
        assert written.size == sum(clip.path.stat().st_size for clip in clips)


def test_nothing_of_others_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty, and not a demo of size tiny and seed 0"):
        make_demo(tmp_path, size="tiny")
    (tmp_path / "demo.json").write_text('{"seed": 1, "size": "tiny"}')
    with pytest.raises(OutputError, match="not empty"):
        make_demo(tmp_path, size="tiny")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.json", "mine.txt"]
    with pytest.raises(OutputError, match="cannot be written"):
        make_demo(tmp_path / "mine.txt", size="tiny")
    with pytest.raises(ParameterError, match="'huge' is none of tiny, small, medium, full"):
        make_demo(tmp_path, size="huge")
