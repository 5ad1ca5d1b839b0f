"""Writing a shard that is an HDF5 file.

    with create_shard(folder, shard_name(0), specs, label_fields={"root": str}, has_notes=False, ...) as writer:
        failed = writer.append(rows, {"mel": values})    # (n, n_bins, n_frames)
        entry = writer.close()

HDF5 writes into a local file, which the store publishes when it is whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from specconv.errors import OutputError
from specconv.shards import layout
from specconv.shards.hdf5.columns import Columns
from specconv.shards.hdf5.files import OutputFile, create_file, create_group
from specconv.shards.hdf5.values import FixedValues, Frames, RaggedValues, Values
from specconv.shards.layout import ClipRow, FailedClip, ShardEntry, SpecgramSpec
from specconv.storage import Store


class Hdf5Writer:
    """A shard that is being written; the contract is `specconv.shards.formats.ShardWriter`.

    Parameters and errors are those of `specconv.shards.formats.create_shard`.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        specs: Sequence[SpecgramSpec],
        *,
        label_fields: Mapping[str, type],
        has_notes: bool,
        config_yaml: str,
        fingerprint: str,
        compression: str = "none",
    ) -> None:
        _check_names([spec.name for spec in specs])
        _check_names(list(label_fields))
        filters = _filters(compression)
        self.name, self._specs = name, tuple(specs)
        self._config, self._fingerprint = config_yaml, fingerprint
        self._columns = Columns(label_fields, has_notes)
        self._values: dict[str, Values] = {}
        self._underflow = Counter[str]()
        self._output = OutputFile(store.create(name))
        self._file: h5py.File | None = None
        try:
            self._file = create_file(self._output)
            specgrams = create_group(self._file, "specgrams")
            for spec in self._specs:
                self._values[spec.name] = _create(specgrams, spec, filters)
            self._output.check()
        except BaseException:
            self._abandon()
            raise

    def append(
        self, rows: Sequence[ClipRow], specgrams: Mapping[str, Frames | Sequence[Frames]]
    ) -> tuple[FailedClip, ...]:
        """Append clips: for each transform an array (n, n_bins, n_frames) or n arrays (n_bins, n_frames).

        A clip whose values are not finite, or too large for float16 (beyond 65504), is left out and recorded
        as failed at stage "write"; returns those.
        """
        stored: dict[str, Frames | Sequence[Frames]] = {}
        reasons: dict[int, str] = {}
        for row in rows:
            self._columns.check(row)
        for spec in self._specs:
            clips = specgrams[spec.name]
            _check_shapes(spec, clips, len(rows))
            stored[spec.name] = _cast(clips, spec.dtype)
            for i in _not_finite(stored[spec.name]):
                reasons.setdefault(i, _reason(spec, clips[i]))
        kept = [i for i in range(len(rows)) if i not in reasons]
        for name, clips in stored.items():
            self._underflow[name] += sum(_underflow(specgrams[name][i], clips[i]) for i in kept)
            self._values[name].append(clips if not reasons else [clips[i] for i in kept])
        self._columns.append([rows[i] for i in kept])
        self._output.check()
        return tuple(self.fail(rows[i].path, "write", reason) for i, reason in sorted(reasons.items()))

    def append_long(self, row: Callable[[], ClipRow], blocks: Iterable[Mapping[str, Frames]]) -> tuple[FailedClip, ...]:
        """Append one clip from blocks of its frames, for each transform (n_bins, any); they are not kept.

        row: called when the blocks are used up, for that is when the length of a stream is known.
        If ``blocks`` raises, the clip is left out and the exception goes on. Returns as ``append``.
        """
        for values in self._values.values():
            values.begin()
        underflow = Counter[str]()
        try:
            reason = self._extend(blocks, underflow)
            complete = row()
            self._columns.check(complete)
        except BaseException:
            self._forget()
            raise
        if reason is not None:
            self._forget()
            return (self.fail(complete.path, "write", reason),)
        for values in self._values.values():
            values.end()
        self._underflow += underflow
        self._columns.append([complete])
        self._output.check()
        return ()

    def fail(self, path: str, stage: str, reason: str) -> FailedClip:
        """Record a clip of this shard that could not be made."""
        failed = FailedClip(path, stage, reason)
        self._columns.failures.append(failed)
        return failed

    def close(self) -> ShardEntry:
        """Finish the shard: it has its final name, on disk. Return its line of the index."""
        if self._file is None:
            raise ValueError(f"{self.name} is already closed")
        try:
            for values in self._values.values():
                values.finish()
            for spec in self._specs:
                if spec.dtype == "float16":
                    self._file[f"specgrams/{spec.name}"].attrs[layout.UNDERFLOW] = self._underflow[spec.name]
            self._columns.write(self._file)
            self._file.attrs["format"] = layout.FORMAT
            self._file.attrs["format_version"] = layout.FORMAT_VERSION
            self._file.attrs["config"] = self._config
            self._file.attrs["fingerprint"] = self._fingerprint
            self._file.attrs["complete"] = True
            self._file.close()
            size, sha256 = self._output.commit()
        finally:
            self._abandon()
        return ShardEntry(self.name, len(self._columns), len(self._columns.failures), size, sha256)

    def __enter__(self) -> Hdf5Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abandon()

    def _extend(self, blocks: Iterable[Mapping[str, Frames]], underflow: Counter[str]) -> str | None:
        """Append the blocks of one clip and count their underflow. Return why they cannot be stored, or None."""
        for block in blocks:
            for spec in self._specs:
                frames = block[spec.name]
                if frames.ndim != 2 or frames.shape[0] != spec.n_bins:
                    raise ValueError(f"{spec.name}: a block of shape {frames.shape}, not ({spec.n_bins}, any)")
                stored = _cast(frames, spec.dtype)
                if not np.isfinite(stored).all():
                    return _reason(spec, frames)
                underflow[spec.name] += _underflow(frames, stored)
                self._values[spec.name].extend(stored)
            self._output.check()
        for values in self._values.values():
            values.check()
        return None

    def _forget(self) -> None:
        for values in self._values.values():
            values.forget()

    def _abandon(self) -> None:
        """Close the file; remove it if it has no final name."""
        self._output.discard()
        if self._file is not None:
            self._file.close()
            self._file = None
        self._output.remove()


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if fault := layout.name_fault(name):
            raise ValueError(fault)
    if len(set(names)) != len(names):
        raise ValueError(f"two of a name among {', '.join(names)}")


def _filters(compression: str) -> dict[str, Any]:
    """Return the arguments of h5py for a compression."""
    if compression == "none":
        return {}
    if compression not in layout.FILTERS:
        raise ValueError(f"compression {compression!r} is none of {', '.join(layout.FILTERS)}")
    if compression != "zstd":
        return {"compression": compression, "shuffle": True}
    try:
        import hdf5plugin
    except ImportError as error:
        raise OutputError("shards.compression: zstd needs hdf5plugin: pip install hdf5plugin, or use gzip") from error
    return {"compression": hdf5plugin.Zstd(), "shuffle": True}


def _create(specgrams: h5py.Group, spec: SpecgramSpec, filters: dict[str, Any]) -> Values:
    if spec.dtype not in layout.DTYPES:
        raise ValueError(f"{spec.name}: dtype {spec.dtype!r} is none of {', '.join(layout.DTYPES)}")
    group = create_group(specgrams, spec.name)
    group.attrs["axes"] = list(spec.axes)
    group.attrs["sample_rate"] = float(spec.sample_rate)
    group.attrs["hop_length"] = int(spec.hop_length)
    group.attrs["units"] = spec.units
    group.attrs["parameters"] = spec.parameters
    group.attrs["center_frequencies"] = np.asarray(spec.center_frequencies, np.float64)
    return (RaggedValues if spec.n_frames is None else FixedValues)(group, spec, filters)


def _check_shapes(spec: SpecgramSpec, clips: Frames | Sequence[Frames], n_clips: int) -> None:
    if len(clips) != n_clips:
        raise ValueError(f"{spec.name}: {len(clips)} specgrams for {n_clips} clips")
    for shape in {clip.shape for clip in clips}:
        if len(shape) != 2 or shape[0] != spec.n_bins or spec.n_frames not in (None, shape[1]):
            n_frames = "any" if spec.n_frames is None else spec.n_frames
            raise ValueError(f"{spec.name}: a specgram of shape {shape}, not ({spec.n_bins}, {n_frames})")


def _cast(clips: Any, dtype: str) -> Any:
    if isinstance(clips, np.ndarray):
        with np.errstate(over="ignore"):  # what overflows becomes infinite, which is looked for next
            return clips.astype(dtype, copy=False)
    return [_cast(clip, dtype) for clip in clips]


def _underflow(values: Frames, stored: Frames) -> int:
    """Return how many values are too small for float16: it stores them as zero, or with fewer than its 11 bits."""
    if stored.dtype != np.float16:
        return 0
    too_small = np.abs(values) < np.finfo(np.float16).tiny
    return int(np.count_nonzero(too_small & (values != stored)))


def _not_finite(clips: Frames | Sequence[Frames]) -> list[int]:
    if isinstance(clips, np.ndarray) and np.isfinite(clips).all():
        return []
    return [i for i, clip in enumerate(clips) if not np.isfinite(clip).all()]


def _reason(spec: SpecgramSpec, values: Frames) -> str:
    if not np.isfinite(values).all():
        return f"{spec.name} has values that are not finite (NaN or infinity)"
    return (
        f"{spec.name} reaches {np.abs(values).max():.6g}, but {spec.dtype} holds no more than "
        f"{np.finfo(spec.dtype).max:.6g}; use shards.dtype: float32, or scale: decibel or log"
    )
