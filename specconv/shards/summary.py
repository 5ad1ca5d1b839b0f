"""The contents of a folder of shards, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from specconv.errors import ShardError
from specconv.shards import layout
from specconv.shards.formats import open_shard, shard_names
from specconv.shards.index import read_index
from specconv.shards.layout import SpecgramSpec
from specconv.storage import StoreLike, open_store


@dataclass(frozen=True)
class SpecgramSummary:
    """One transform. n_frames: of all clips together. size: bytes stored.

    underflow: the share of values that are too small for float16; None where nobody counted them.
    """

    spec: SpecgramSpec
    n_frames: int
    size: int
    underflow: float | None


@dataclass(frozen=True)
class LabelSummary:
    """One label. counts: clips by value, most frequent first. smallest, largest: None of strings."""

    type: str
    counts: Mapping[str | int | float, int]
    smallest: int | float | None
    largest: int | float | None


@dataclass(frozen=True)
class FolderSummary:
    """A folder of shards.

    finished: there is an index; without it dataset, created and versions are unknown (None, empty).
    hours: of audio, as it was before any resampling or cutting. size: bytes of all shards. failed: clips.
    notes: how many in all, None if the dataset has none.
    """

    folder: str
    finished: bool
    dataset: str | None
    created: str | None
    versions: Mapping[str, str]
    config: str
    shards: int
    clips: int
    failed: int
    hours: float
    size: int
    specgrams: Mapping[str, SpecgramSummary]
    labels: Mapping[str, LabelSummary]
    notes: int | None


def summary(place: StoreLike) -> FolderSummary:
    """Describe a folder of shards. Raises ShardError, also for shards that disagree in what they hold."""
    store = open_store(place)
    index, folder = read_index(store), store.where()
    names = [entry.name for entry in index.shards] if index else shard_names(store)
    if not names:
        raise ShardError(f"{folder} holds no shards; give the --out folder of a conversion")
    specs: dict[str, SpecgramSpec] = {}
    frames: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    underflow: dict[str, int | None] = {}
    labels: dict[str, Counter[str | int | float]] = {}
    types: dict[str, str] = {}
    clips = failed = size = notes = 0
    has_notes, hours, config = False, 0.0, ""
    for name in names:
        with open_shard(store, name) as shard:
            if specs and set(specs) != set(shard.names):
                raise ShardError(f"{shard.where} holds other transforms than {names[0]}; run specconv verify")
            clips, failed, size = clips + shard.n_clips, failed + len(shard.failures), size + shard.size
            config = shard.config
            samples = sum(shard.clips("n_samples"))
            for transform in shard.names:
                specgrams = shard.specgrams(transform)
                if transform == shard.names[0]:
                    hours += samples / specgrams.spec.sample_rate / 3600
                specs.setdefault(transform, specgrams.spec)
                frames[transform] += specgrams.n_frames
                sizes[transform] += specgrams.size
                before, more = underflow.get(transform, 0), specgrams.n_underflow
                underflow[transform] = None if before is None or more is None else before + more
            for field, kind in shard.label_types.items():
                column = shard.labels(field)
                labels.setdefault(field, Counter()).update(column)
                types.setdefault(field, layout.TYPE_NAMES[kind])
            if shard.has_notes:
                has_notes, notes = True, notes + len(shard.notes())
    return FolderSummary(
        folder=folder,
        finished=index is not None,
        dataset=index.dataset if index else None,
        created=index.created if index else None,
        versions=index.versions if index else {},
        config=config,
        shards=len(names),
        clips=clips,
        failed=failed,
        hours=hours,
        size=size,
        specgrams={
            name: SpecgramSummary(spec, frames[name], sizes[name], _share(underflow[name], frames[name] * spec.n_bins))
            for name, spec in specs.items()
        },
        labels={name: _label(types[name], counts) for name, counts in labels.items()},
        notes=notes if has_notes else None,
    )


def underflow_shares(place: StoreLike, names: Iterable[str]) -> dict[str, float]:
    """Return the share of each transform's values in these shards that are too small for float16. Raises ShardError."""
    lost, n_values = Counter[str](), Counter[str]()
    store = open_store(place)
    for name in names:
        with open_shard(store, name) as shard:
            for transform in shard.names:
                specgrams = shard.specgrams(transform)
                if specgrams.n_underflow is not None:
                    lost[transform] += specgrams.n_underflow
                    n_values[transform] += specgrams.n_frames * specgrams.spec.n_bins
    return {name: lost[name] / n for name, n in n_values.items() if n}


def _share(count: int | None, of: int) -> float | None:
    return None if count is None else count / max(of, 1)


def _label(kind: str, counts: Counter[str | int | float]) -> LabelSummary:
    numbers = [value for value in counts if not isinstance(value, str)]
    return LabelSummary(kind, dict(counts.most_common()), min(numbers, default=None), max(numbers, default=None))
