"""What an output folder already holds of a plan: which shards are whole, and why the others are not.

A shard is opened, not checksummed: ``specconv verify`` looks at every byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from specconv.audio import probe
from specconv.errors import AudioError, OutputError, ShardError
from specconv.pipeline.plan import Plan
from specconv.pipeline.recipe import ShardTask
from specconv.shards import FailedClip, open_shard, shard_path, shard_paths
from specconv.version import __version__


class Why(Enum):
    """Why a shard that is there cannot stay, as the user is told."""

    CHANGED = "for their clips have changed since"
    READABLE = "for clips that could not be opened then can be opened now"
    OTHER_CONFIG = "for another config made them"
    OTHER_VERSION = "for another version of specconv made them"
    DAMAGED = "for they are damaged"


@dataclass(frozen=True)
class Survey:
    """whole: the failures of every shard that can stay, by its number. others: why not, by number. surplus: shards
    of clips that are no more."""

    whole: Mapping[int, tuple[FailedClip, ...]]
    others: Mapping[int, Why]
    surplus: tuple[Path, ...]


def survey(plan: Plan, folder: Path, *, overwrite: bool) -> Survey:
    """Look at every shard in ``folder``.

    Raises OutputError for one that is not of this config and version, or of none, unless ``overwrite``.
    """
    whole: dict[int, tuple[FailedClip, ...]] = {}
    others: dict[int, Why] = {}
    surplus: list[Path] = []
    planned = {shard_path(folder, task.number).name: task for task in plan.tasks}
    for path in shard_paths(folder):
        task = planned.get(path.name)
        judged = judge(plan, path, task)
        if judged is Why.DAMAGED and not path.exists():
            continue  # removed just now by another part, which makes it again
        if not overwrite and isinstance(judged, Why):
            _refuse(path, judged)
        if task is None:
            surplus.append(path)
        elif isinstance(judged, Why):
            others[task.number] = judged
        elif any(_opens(plan, failed) for failed in judged):
            others[task.number] = Why.READABLE
        else:
            whole[task.number] = judged
    return Survey(whole, others, tuple(surplus))


def judge(plan: Plan, path: Path, task: ShardTask | None) -> tuple[FailedClip, ...] | Why:
    """The failures of the shard at ``path`` if it is whole and made from what ``task`` would be made from."""
    try:
        with open_shard(path.parent, path.name) as found:
            if _version(found.fingerprint) != __version__:
                return Why.OTHER_VERSION
            if found.config != plan.recipe.config:
                return Why.OTHER_CONFIG
            if task is not None and found.fingerprint != task.fingerprint:
                return Why.CHANGED
            return found.failures
    except ShardError:
        return Why.DAMAGED


def _refuse(path: Path, why: Why) -> None:
    if why is Why.OTHER_CONFIG:
        raise OutputError(
            f"{path.parent} holds shards made by another config ({path.name}); "
            "choose another --out, or replace them with --overwrite"
        )
    if why is Why.OTHER_VERSION:
        raise OutputError(
            f"{path.parent} holds shards made by another version of specconv than {__version__} ({path.name}); "
            "choose another --out, or replace them with --overwrite"
        )
    if why is Why.DAMAGED:
        raise OutputError(
            f"{path} is damaged, or no shard of specconv; remove it, choose another --out, or replace it "
            "with --overwrite"
        )


def _version(fingerprint: str) -> str:
    return fingerprint.partition(" ")[0]


def _opens(plan: Plan, failed: FailedClip) -> bool:
    """Whether a clip that could not be opened can be now: a disk that was away, a permission given."""
    if failed.stage != "open":
        return False
    try:
        probe(plan.recipe.root / failed.path)
    except AudioError:
        return False
    return True
