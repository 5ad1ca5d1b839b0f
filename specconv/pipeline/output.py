"""The output folder of a conversion: whose it is, what of it is already whole, and how it is finished."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from specconv.errors import OutputError, ShardError
from specconv.messages import byte_size
from specconv.pipeline.converter import Converter
from specconv.pipeline.estimate import estimate
from specconv.pipeline.plan import Plan
from specconv.pipeline.recipe import ShardTask
from specconv.pipeline.report import Progress
from specconv.pipeline.survey import Survey, Why, judge, survey
from specconv.shards import (
    FailedClip,
    Index,
    ShardEntry,
    Unfinished,
    read_entry,
    read_index,
    remove_index,
    remove_unfinished,
    shard_path,
    shard_paths,
    write_index,
    write_ledger,
    write_unfinished,
)
from specconv.storage import has_file_locks, open_store, output_error, sync_folder

# Free space asked for beyond the values themselves: labels and chunk indices, and what describes each transform.
MARGIN = 1.02
HEAD_BYTES = 2**14  # of each transform in each shard


@dataclass(frozen=True)
class Output:
    """A folder that is ours to write. todo: shards that are missing; kept: those that are whole."""

    folder: Path
    plan: Plan
    converter: Converter
    todo: tuple[ShardTask, ...]
    kept: tuple[ShardTask, ...]
    _failed: Mapping[int, tuple[FailedClip, ...]]

    @property
    def kept_failures(self) -> list[FailedClip]:
        """The clips that failed when the kept shards were made."""
        return [failed for task in self.kept for failed in self._failed[task.number]]

    def finish(self, entries: Mapping[int, ShardEntry]) -> int:
        """Write ledger and index, once every shard of the plan is whole (another part may still be at work).

        entries: the shards that this run has made, by number. Returns the bytes of all whole shards.
        Raises OutputError, also if one of them is gone again.
        """
        plan = self.plan
        seen = None
        while (there := self._states()) != seen:
            # Again if another part has made a shard meanwhile: ours may have replaced its fuller ledger.
            failures, total = self._whole(entries)
            write_ledger(self.folder, failures)
            seen = there
        if len(failures) < len(plan.tasks):
            return total
        index = _readable_index(self.folder)
        known = {entry.name: entry for entry in index.shards} if index is not None else {}
        paths = [(task, self._path(task)) for task in plan.tasks]
        complete = [
            entries.get(task.number) or known.get(path.name) or read_entry(self.folder, path.name)
            for task, path in paths
        ]
        root, dataset = plan.listing.root.resolve(), plan.listing.dataset
        if index is None or (index.shards, index.audio) != (complete, str(root)):
            write_index(
                self.folder,
                dataset=dataset.name,
                audio=root,
                config_yaml=plan.recipe.config,
                specs=self.converter.specs,
                label_fields=dataset.label_fields,
                has_notes=dataset.has_notes,
                shards=complete,
            )
        remove_unfinished(self.folder)
        return total

    def _path(self, task: ShardTask) -> Path:
        return shard_path(self.folder, task.number)

    def _states(self) -> list[tuple[str, int, int]]:
        """Of every shard that is there: what tells it from one that replaces it."""
        with _said(self.folder):
            found = [(path.name, path.stat()) for path in shard_paths(self.folder)]
        return [(name, status.st_ino, status.st_mtime_ns) for name, status in found]

    def _whole(self, entries: Mapping[int, ShardEntry]) -> tuple[dict[str, tuple[FailedClip, ...]], int]:
        """The failures of all whole shards by name, and their bytes."""
        total, failures = 0, {}
        for task in self.plan.tasks:
            path = self._path(task)
            found = judge(self.plan, path, task) if path.exists() else Why.DAMAGED
            if not isinstance(found, Why):
                failures[path.name] = found
                total += path.stat().st_size
            elif task.number in entries or task in self.kept:
                raise OutputError(f"{path} was whole and has been removed or changed; run the same command again")
        return failures, total


@contextmanager
def open_output(
    plan: Plan,
    converter: Converter,
    folder: Path,
    *,
    overwrite: bool,
    part: tuple[int, int],
    config: str | None,
    progress: Progress,
) -> Iterator[Output]:
    """Take possession of ``folder``, creating it, and find out what is left to do.

    Shards made by another config or version, or of another folder, are refused, unless ``overwrite`` replaces them.
    Shards of the same config whose clips have changed since are made again, and the user is told.
    Raises OutputError: another run's, not to be replaced unasked, not writable, too little space. Nothing was touched
    then.
    """
    name = "convert" if part[1] == 1 else f"convert-{part[0]}-of-{part[1]}"
    with _created(folder), open_store(folder).lock(name):
        with _said(folder):
            found = survey(plan, folder, overwrite=overwrite)
            if not overwrite:
                _refuse_other_audio(plan, folder, found)
            if not has_file_locks(folder):
                progress.notice(
                    f"{folder}: its file system has no file locks. specconv needs none; for other readers of the "
                    "shards set HDF5_USE_FILE_LOCKING=FALSE, or h5py.File(..., locking=False)"
                )
        mine = [shard for shard in plan.tasks if shard.number % part[1] == part[0] - 1]
        todo = tuple(shard for shard in mine if shard.number not in found.whole)
        kept = tuple(shard for shard in mine if shard.number in found.whole)
        replaced = [shard_path(folder, shard.number) for shard in todo if shard.number in found.others]
        _check_space(plan, converter, folder, todo, replaced)
        if not todo and not found.surplus:
            _tell_kept(progress, plan, part, kept)
        _tell(progress, folder, todo, found)
        if todo or found.surplus:
            root, dataset = str(plan.listing.root.resolve()), plan.listing.dataset.name
            write_unfinished(folder, Unfinished(len(plan.tasks), part[1], root, dataset, config))
            remove_index(folder)
            _remove([*replaced, *found.surplus])
        yield Output(folder, plan, converter, todo, kept, found.whole)


@contextmanager
def _created(folder: Path) -> Iterator[None]:
    """The folder is there inside. What was made for it is removed again if nothing came of it."""
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file; choose another --out, a folder")
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for path in missing:
            sync_folder(path.parent)
    except OSError as error:
        raise output_error(folder, error) from error
    except ValueError as error:
        raise OutputError(f"{str(folder)!r}: no folder can have this name ({error}); choose another --out") from error
    try:
        yield
    except OutputError:
        with suppress(OSError):  # not empty
            if missing and not shard_paths(folder):
                remove_unfinished(folder)
            for path in missing:
                path.rmdir()
        raise


@contextmanager
def _said(folder: Path) -> Iterator[None]:
    """What the system refuses becomes an OutputError."""
    try:
        yield
    except OSError as error:
        raise output_error(folder, error) from error


def _refuse_other_audio(plan: Plan, folder: Path, found: Survey) -> None:
    """A slip in the name of the audio folder replaces no finished one; audio that has only moved is the same."""
    index = _readable_index(folder)
    if index is None or index.audio == str(plan.listing.root.resolve()):
        return
    if found.surplus or Why.CHANGED in found.others.values():
        raise OutputError(
            f"{folder} holds shards of other audio, {index.audio}; choose another --out, or replace them with "
            "--overwrite"
        )


def _tell_kept(progress: Progress, plan: Plan, part: tuple[int, int], kept: tuple[ShardTask, ...]) -> None:
    """Say why a run has nothing to do."""
    number, parts = part
    share = "" if parts == 1 else f" of part {number}/{parts}"
    if kept:
        progress.notice(f"Nothing to do: the shards{share} are whole ({len(kept):,}), and of this config and audio")
    else:
        n = len(plan.tasks)
        progress.notice(f"Part {number}/{parts} has no shards: the clips make {n:,}; parts 1 to {n:,} have one each")


def _tell(progress: Progress, folder: Path, todo: tuple[ShardTask, ...], found: Survey) -> None:
    """What of an earlier run is not kept, and why."""
    names = defaultdict(list)
    for shard in todo:
        if why := found.others.get(shard.number):
            names[f"are made again, {why.value}"].append(shard_path(folder, shard.number).name)
    if found.surplus:
        names["are removed, for their clips are no more"] = [path.name for path in found.surplus]
    for what, shards in names.items():
        first = ", ".join(shards[:3]) + (" …" if len(shards) > 3 else "")
        progress.notice(f"shards of an earlier run {what} ({len(shards)}): {first}")


def _check_space(
    plan: Plan, converter: Converter, folder: Path, todo: tuple[ShardTask, ...], replaced: list[Path]
) -> None:
    if plan.recipe.shards.compression != "none" or not todo:
        return  # how small they get is not known before
    with _said(folder):
        free = shutil.disk_usage(folder).free + sum(path.stat().st_size for path in replaced)
    needed = estimate(converter, todo).bytes * MARGIN + HEAD_BYTES * len(todo) * len(converter.specs)
    if needed > free:
        raise OutputError(
            f"{folder}: {byte_size(needed)} are needed, but {byte_size(free)} are free; free some space, "
            "choose another --out, or set shards.dtype: float16 or shards.compression"
        )


def _remove(paths: list[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise output_error(path, error) from error


def _readable_index(folder: Path) -> Index | None:
    try:
        return read_index(folder)
    except ShardError:
        return None  # it is made again
