"""One contract for every dataset: what the pipeline relies on, whatever the corpus."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_corpora import esc50, gtzan, maestro, speech_commands

from specconv.datasets import DATASETS, NOTE_DTYPE, Listing, open_dataset

DEMO = {"folder": "piano_triads", "maps": "maps", "musicnet": "musicnet", "piano-triads": "piano_triads"}


def small(root: Path, name: str) -> Path:
    """A few clips of a corpus that the demo does not make."""
    makers = {"maestro": maestro, "gtzan": gtzan, "esc-50": esc50, "speech-commands": speech_commands}
    return makers[name](root / name)


def test_every_dataset_of_the_table_is_tested_here() -> None:
    assert {*DEMO, "maestro", "gtzan", "esc-50", "speech-commands"} == set(DATASETS)


@pytest.fixture(scope="module", params=sorted(DATASETS))
def listing(request: pytest.FixtureRequest, demo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Listing:
    name = request.param
    root = demo_root / DEMO[name] if name in DEMO else small(tmp_path_factory.mktemp("small"), name)
    return open_dataset(root, name)


def test_table_key_is_the_name(listing: Listing) -> None:
    assert DATASETS[listing.dataset.name] is listing.dataset


def test_corpus_says_whose_it_is(listing: Listing) -> None:
    for words in (listing.dataset.title, listing.dataset.citation, listing.dataset.licence):
        assert len(words) > 5


def test_clips_have_unique_sorted_ids_that_any_file_takes(listing: Listing) -> None:
    ids = [clip.id for clip in listing.clips]
    assert ids == sorted(set(ids))
    assert all(clip_id and clip_id.encode() for clip_id in ids)


def test_clips_have_the_fields_and_types_that_are_promised(listing: Listing) -> None:
    for clip in listing.clips:
        assert list(clip.labels) == list(listing.dataset.label_fields), clip.id
        for field, value in clip.labels.items():
            assert type(value) is listing.dataset.label_fields[field], (clip.id, field)


def test_clips_are_files_under_the_root_as_given(listing: Listing) -> None:
    for clip in listing.clips:
        assert clip.path.is_file()
        assert str(clip.path).startswith(f"{listing.root}{os.sep}")


def test_notes_are_within_bounds_and_in_order(listing: Listing) -> None:
    for clip in listing.clips:
        notes = listing.dataset.read_notes(clip)
        assert notes.dtype == NOTE_DTYPE
        assert bool(notes.size) == listing.dataset.has_notes == (clip.notes_path is not None)
        if notes.size:
            length = soundfile.info(clip.path).duration
            assert (notes["onset_s"] >= 0).all()
            assert (notes["offset_s"] > notes["onset_s"]).all()
            assert (notes["offset_s"] <= length).all()
            assert (np.diff(notes["onset_s"]) >= 0).all()
            assert ((notes["pitch"] >= 21) & (notes["pitch"] <= 108)).all()
            assert (notes["instrument"] >= 1).all()


def test_listing_does_not_depend_on_the_order_of_the_file_system(
    listing: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    class Ordered:
        backwards = False

        def __init__(self, path: str) -> None:
            with real(path) as entries:
                self.entries = sorted(entries, key=lambda entry: entry.name, reverse=self.backwards)

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.entries

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr("specconv.datasets.scan.os.scandir", Ordered)
    found = []
    for Ordered.backwards in (False, True):
        found.append([clip.path for clip in listing.dataset.find(listing.root)[0]])
        assert Listing.of(listing.dataset, listing.root, listing.reason) == listing
    assert found[0] != found[1]  # so there was an order to depend on


def test_dataset_is_recognised_by_its_evidence(listing: Listing) -> None:
    evidence = listing.dataset.recognise(listing.root)
    assert evidence
    assert evidence.files >= len(listing.clips)
    if listing.dataset.name != "folder":
        assert any(character.isdigit() for character in evidence.words)
        found = open_dataset(listing.root)
        assert (found.dataset.name, found.reason) == (listing.dataset.name, evidence.words)


@pytest.mark.parametrize("name", sorted(set(DATASETS) - {"folder"}))
def test_corpora_are_not_seen_where_they_are_not(name: str, demo_root: Path, tmp_path: Path) -> None:
    (tmp_path / "some.wav").touch()
    assert DATASETS[name].recognise(tmp_path) is None
    for other in DEMO.keys() - {name, "folder"}:
        assert DATASETS[name].recognise(demo_root / DEMO[other]) is None
    for other in DATASETS.keys() - DEMO.keys() - {name}:
        assert DATASETS[name].recognise(small(tmp_path, other)) is None
