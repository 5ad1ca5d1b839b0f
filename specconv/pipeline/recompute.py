"""Some clips of a finished folder computed again from their audio, beside what is stored.

Stored values must be those that the stored config gives: within 1e-5 of the clip's peak, or 1e-3 where float16
is stored. Decibels and logarithms of next to nothing are rounding noise; there the values that they are logarithms
of are compared instead, if that is kinder. Phases are not compared: without sound they are arbitrary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import numpy as np
import torch

from specconv.config import parse_config
from specconv.datasets import DATASETS, ClipRef, Listing
from specconv.engines.threads import one_core
from specconv.errors import AudioError, Fault, ParameterError, ShardError
from specconv.pipeline.compute import Frames, single_clips
from specconv.pipeline.converter import Converter, converter_for
from specconv.pipeline.long_clip import LongClip
from specconv.pipeline.plan import Plan, make_plan
from specconv.shards import FailedClip, Index, open_shard, read_index
from specconv.shards.formats import Shard, Specgrams
from specconv.storage import local_path
from specconv.version import __version__

TOLERANCES: Mapping[str, float] = {"float32": 1e-5, "complex64": 1e-5, "float16": 1e-3}  # of the clip's peak
BLOCK_FRAMES = 2**14  # of stored values that are in memory together
_LINEAR: Mapping[str, Callable[[Frames], Frames]] = {"dB": lambda level: 10.0 ** (level / 20), "ln": np.exp}


@dataclass
class Recomputed:
    """clips: compared. largest: difference, of a clip's peak, at ``largest_at``. faults: keyed by clip."""

    clips: int = 0
    largest: float = 0.0
    largest_at: str = ""
    faults: list[Fault] = field(default_factory=list)


@dataclass(frozen=True)
class _Row:
    """Where a clip is stored."""

    shard: Path
    row: int
    id: str
    path: str


def recompute(
    folder: Path,
    n: int,
    *,
    audio: Path | None = None,
    device: torch.device,
    progress: Callable[[str], None] = lambda _: None,
) -> Recomputed:
    """Compute ``n`` clips, spread evenly over the folder and the same at every call, and compare them.

    audio: the folder of the audio; None for where it was when the shards were made.
    progress: is told what is being done. A clip whose audio cannot be read is a fault.
    Raises ShardError for a folder without an index, ParameterError if the audio's folder is gone, or if the clips were
    resampled by a version of specconv with another filter.
    """
    index = read_index(folder)
    if index is None:
        raise ShardError(f"{folder} has no index.json: its conversion did not finish; run the same command again")
    root = local_path(audio or index.audio)
    if not root.is_dir():
        raise ParameterError(f"{root}: the folder of the audio is gone; name it with --audio")
    rows = list(_spread(folder, index, n))
    found = Recomputed()
    with TemporaryDirectory(prefix="specconv-") as spool, one_core():
        plan = _plan(index, root, rows)
        converter = converter_for(plan.recipe, device)
        for place, computed in zip(rows, _computed(converter, plan, Path(spool)), strict=True):
            progress(f"computing {place.id} again")
            _compare(place, computed, found)
    return found


def _spread(folder: Path, index: Index, n: int) -> Iterator[_Row]:
    wanted = iter(dict.fromkeys(i * index.clips // n for i in range(n)) if index.clips else ())
    first, number = 0, next(wanted, None)
    for entry in index.shards:
        if number is None:
            return
        if number < first + entry.clips:
            with open_shard(folder, entry.name) as shard:
                ids, paths = shard.clips("id"), shard.clips("path")
                _check_resampling(shard, folder / entry.name)
            while number is not None and number < first + entry.clips:
                row = number - first
                yield _Row(folder / entry.name, row, ids[row], paths[row])
                number = next(wanted, None)
        first += entry.clips


def _check_resampling(shard: Shard, path: Path) -> None:
    """Raise ParameterError for resampled clips of a version before 0.2, whose filter was another one."""
    version = shard.fingerprint.partition(" ")[0]
    rates = {spec.sample_rate for spec in (shard.specgrams(name).spec for name in shard.names)}
    if version.startswith("0.1.") and not rates >= set(shard.clips("source_sample_rate")):
        raise ParameterError(
            f"{path}: its clips were resampled by specconv {version}, whose filter was shorter; "
            f"compute them again with that version, or convert the folder again with {__version__}"
        )


def _plan(index: Index, root: Path, rows: Sequence[_Row]) -> Plan:
    """A conversion of these clips alone, at the rate that is stored."""
    for place in rows:
        path = PurePosixPath(place.path)
        if path.is_absolute() or ".." in path.parts:
            raise ShardError(f"{place.shard}: /clips/path: {place.path!r} is not below the audio folder")
    job = parse_config(index.config)
    rate = round(next(iter(index.specgrams.values())).sample_rate)
    job = job.model_copy(
        update={
            "audio": job.audio.model_copy(update={"sample_rate": rate}),
            "shards": job.shards.model_copy(update={"clips": max(1, len(rows))}),
        }
    )
    clips = tuple(ClipRef(place.id, root / place.path, {}) for place in rows)
    dataset = DATASETS.get(index.dataset, DATASETS["folder"])
    return make_plan(job, Listing(dataset, root, "as stored", clips, ()))


Computed = AudioError | Iterator[Mapping[str, Frames]]


def _computed(converter: Converter, plan: Plan, spool: Path) -> Iterator[Computed]:
    """For each clip its specgrams, in blocks of frames, or why there are none."""
    clips = [clip for task in plan.tasks for clip in task.clips]
    while clips:
        batch = converter.convert(clips[: converter.clips_at_once])
        rows = {name: single_clips(blocks) for name, blocks in batch.specgrams.items()}
        for clip in batch.clips:
            if isinstance(clip, FailedClip):
                yield AudioError(clip.path, clip.stage, clip.reason)
            else:
                yield iter([{name: next(values) for name, values in rows.items()}])
        clips = clips[len(batch.clips) :]
        if batch.long:
            yield LongClip(converter, clips.pop(0), spool).blocks()


def _compare(place: _Row, computed: Computed, found: Recomputed) -> None:
    if isinstance(computed, AudioError):
        found.faults.append(Fault(place.id, f"its audio cannot be read again: {computed}"))
        return
    with open_shard(place.shard.parent, place.shard.name) as shard:
        clip = {name: _StoredClip(shard.specgrams(name), place.row) for name in shard.names}
        try:
            for block in computed:
                for name, values in block.items():
                    clip[name].compare(values)
        except AudioError as error:
            found.faults.append(Fault(place.id, f"its audio cannot be read again: {error}"))
            return
    found.clips += 1
    for name, stored in clip.items():
        if stored.error > found.largest:
            found.largest, found.largest_at = stored.error, f"{place.id}, {name}"
        if (what := stored.fault) is not None:
            found.faults.append(Fault(place.id, f"{name}: {what}; its audio has changed since, or the shard is wrong"))


class _StoredClip:
    """One clip of one transform, met by blocks of its frames in order. error: the largest so far."""

    def __init__(self, specgrams: Specgrams, row: int) -> None:
        self.error = 0.0
        self._specgrams, self._spec, self._row = specgrams, specgrams.spec, row
        self._frames = specgrams.frames_of(row)
        self._computed = 0
        self._linear = _LINEAR.get(self._spec.units)
        stored = [self._read(start, start + BLOCK_FRAMES) for start in range(0, self._frames, BLOCK_FRAMES)]
        self._top = max((float(values.max()) for values in stored if self._linear and values.size), default=0.0)
        self._peak = max((float(np.abs(values).max()) for values in stored if values.size), default=0.0)

    @property
    def fault(self) -> str | None:
        if self._computed != self._frames:
            return f"{self._computed} frames computed again, {self._frames} stored"
        if not self.error <= (most := TOLERANCES[self._spec.dtype]):
            return f"differs by {self.error:.2g} of its peak, at most {most:g} is rounding"
        return None

    def compare(self, values: Frames) -> None:
        first = self._computed
        self._computed += values.shape[1]
        if self._spec.units == "rad" or self._computed > self._frames or not values.size:
            return
        stored = self._read(first, self._computed)
        with np.errstate(over="ignore"):
            computed = values.astype(self._spec.dtype).astype(stored.dtype)
        # A clip of zeros has no peak: there every difference counts as it is.
        error = np.abs(stored - computed) / (self._peak or 1.0)
        if self._linear is not None:
            linear = np.abs(self._linear(stored - self._top) - self._linear(computed - self._top))
            error = np.minimum(error, linear)
        self.error = max(self.error, float(error.max()))

    def _read(self, start: int, stop: int) -> Frames:
        """Frames of this clip as float64 or complex128."""
        frames = self._specgrams.read(self._row, start, stop)
        return frames.astype(np.complex128 if frames.dtype.kind == "c" else np.float64)
