"""The output folder of a conversion: whose it is, what of it is already whole, and how it is finished."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from specconv.errors import OutputError, ShardError
from specconv.pipeline.plan import Plan, ShardPlan
from specconv.pipeline.report import Failure, Progress
from specconv.shards import (
    FolderLock,
    ShardEntry,
    open_shard,
    output_error,
    read_entry,
    read_failures,
    read_index,
    remove_index,
    remove_leftovers,
    shard_paths,
    write_index,
    write_ledger,
)

# Free space asked for beyond the values themselves: labels, chunk indices and the index take far less.
MARGIN = 1.02


@dataclass(frozen=True)
class Output:
    """A folder that is ours to write. todo: shards that are missing; kept: those that are whole."""

    folder: Path
    plan: Plan
    todo: tuple[ShardPlan, ...]
    kept: tuple[ShardPlan, ...]

    @property
    def kept_failures(self) -> list[Failure]:
        """The clips that failed when the kept shards were made."""
        return [
            Failure(failed.path, failed.stage, failed.reason)
            for shard in self.kept
            for failed in read_failures(shard.path)
        ]

    def finish(self, entries: dict[int, ShardEntry]) -> int:
        """Write ledger and index, once every shard of the plan is whole (another part may still be at work).

        Returns the bytes of all whole shards.
        """
        shards = [shard for shard in self.plan.shards if shard.path.exists()]
        total = sum(shard.path.stat().st_size for shard in shards)
        write_ledger(self.folder, {shard.path.name: read_failures(shard.path) for shard in shards})
        if len(shards) < len(self.plan.shards):
            return total
        index = read_index(self.folder)
        known = {entry.name: entry for entry in index.shards} if index is not None else {}
        complete = [
            entries.get(shard.number) or known.get(shard.path.name) or read_entry(shard.path) for shard in shards
        ]
        if index is not None and index.shards == complete:
            return total
        dataset = self.plan.listing.dataset
        write_index(
            self.folder,
            dataset=dataset.name,
            audio=self.plan.listing.root.resolve(),
            config_yaml=self.plan.job.to_yaml(),
            specs=self.plan.specs,
            label_fields=dataset.label_fields,
            has_notes=dataset.has_notes,
            shards=complete,
        )
        return total


@contextmanager
def open_output(
    plan: Plan, folder: Path, *, overwrite: bool, part: tuple[int, int], progress: Progress
) -> Iterator[Output]:
    """Take possession of ``folder``, creating it, and find out what is left to do.

    Shards made by another config are refused, unless ``overwrite`` removes them. Shards of the same config whose
    clips have changed since are made again, and the user is told.
    Raises OutputError: another run's, another config's, not writable, too little space.
    """
    _create(folder)
    name = "convert" if part[1] == 1 else f"convert-{part[0]}-of-{part[1]}"
    with FolderLock(folder, name):
        remove_leftovers(folder)
        if overwrite:
            _remove_shards(folder, shard_paths(folder))
        mine = [shard for shard in plan.shards if shard.number % part[1] == part[0] - 1]
        kept, changed = _whole(plan, folder, mine)
        if changed:
            progress.notice(
                f"{len(changed)} finished shards are made again, for their clips have changed since: "
                + ", ".join(shard.path.name for shard in changed[:3])
                + (" …" if len(changed) > 3 else "")
            )
        whole = set(kept)
        todo = tuple(shard for shard in mine if shard not in whole)
        surplus = [path for path in shard_paths(folder) if path not in {shard.path for shard in plan.shards}]
        if todo or surplus:
            _check_space(plan, folder, todo)
            remove_index(folder)
            _remove_shards(folder, [shard.path for shard in changed] + surplus)
        yield Output(folder, plan, todo, tuple(kept))


def _create(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; choose another --out, a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error


def _whole(plan: Plan, folder: Path, shards: list[ShardPlan]) -> tuple[list[ShardPlan], list[ShardPlan]]:
    """Shards that need not be made again, and those whose clips have changed."""
    config = plan.job.to_yaml()
    kept: list[ShardPlan] = []
    changed: list[ShardPlan] = []
    for shard in shards:
        if not shard.path.exists():
            continue
        try:
            with open_shard(shard.path) as found:
                made_from, made_by = found.fingerprint, found.config
        except ShardError:
            changed.append(shard)
            continue
        if made_by != config:
            raise OutputError(
                f"{folder} holds shards made by another config ({shard.path.name}); "
                "choose another --out, or remove them with --overwrite"
            )
        (kept if made_from == shard.fingerprint else changed).append(shard)
    return kept, changed


def _check_space(plan: Plan, folder: Path, todo: tuple[ShardPlan, ...]) -> None:
    if plan.job.shards.compression != "none":
        return  # how small they get is not known before
    share = sum(len(shard.clips) for shard in todo) / max(1, len(plan.listing.clips))
    needed = plan.estimate().bytes * share * MARGIN
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OutputError(
            f"{folder}: {needed / 2**30:.2f} GiB are needed, but {free / 2**30:.2f} GiB are free; free some space, "
            "choose another --out, or set shards.dtype: float16 or shards.compression"
        )


def _remove_shards(folder: Path, paths: list[Path]) -> None:
    remove_index(folder)
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise output_error(path, error) from error
