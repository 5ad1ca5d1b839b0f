"""What a folder of shards lacks, for a reader: which shards, who is writing them, and the commands that make them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import join
from typing import Any

from specconv.shards import Remaining, Unfinished

MOST_NAMED = 6  # shards, and commands


def remaining_rows(folder: Path, remaining: Remaining) -> list[tuple[str, str]]:
    """Rows of a table of names and values."""
    plan, rows = remaining.plan, []
    for share, process in remaining.writers.items():
        part = share.removeprefix("convert").strip("-").replace("-of-", "/")
        whose = f", part {part}" if part else ""
        rows.append(("being written", f"by process {process.pid} on {process.host}{whose}"))
    if plan is not None:
        rows.append(("missing", f"{len(remaining.missing):,} of {plan.shards:,} shards{_named(remaining.missing)}"))
    elif not remaining.writers:
        rows.append(("missing", "the index; how many shards there must be is not recorded"))
    commands = remaining_commands(folder, remaining)
    rows += [("to go on" if i == 0 else "", command) for i, command in enumerate(commands[:MOST_NAMED])]
    if len(commands) > MOST_NAMED:
        rows.append(("", f"and {len(commands) - MOST_NAMED:,} more parts; without --part one command makes all"))
    return rows


def remaining_commands(folder: Path, remaining: Remaining) -> list[str]:
    """The commands that make what is missing and nobody is making."""
    plan = remaining.plan
    if plan is None or "convert" in remaining.writers:
        return []
    if plan.parts == 1 or not remaining.missing:
        return [] if remaining.writers else [_command(folder, plan, None)]
    lacking = sorted({number % plan.parts + 1 for number in remaining.missing})
    free = [part for part in lacking if f"convert-{part}-of-{plan.parts}" not in remaining.writers]
    return [_command(folder, plan, part) for part in free]


def remaining_values(folder: Path, remaining: Remaining) -> dict[str, Any]:
    """The same for a script."""
    return {
        "planned_shards": None if remaining.plan is None else remaining.plan.shards,
        "missing_shards": list(remaining.missing),
        "writing": [process.pid for process in remaining.writers.values()],
        "commands": remaining_commands(folder, remaining),
    }


def _named(numbers: Sequence[int]) -> str:
    more = " …" if len(numbers) > MOST_NAMED else ""
    return f": {', '.join(map(str, numbers[:MOST_NAMED]))}{more}" if numbers else "; only the index is missing"


def _command(folder: Path, plan: Unfinished, part: int | None) -> str:
    out = str(folder.absolute())
    if plan.config is None:  # it was no file, but a job in Python
        share = "" if part is None else f", part=({part}, {plan.parts})"
        return f"specconv.convert({plan.audio!r}, job, {out!r}, dataset={plan.dataset!r}{share})"
    share_options = [] if part is None else ["--part", f"{part}/{plan.parts}"]
    options = ["--config", plan.config, "--out", out, "--dataset", plan.dataset, *share_options]
    return join(["specconv", "convert", plan.audio, *options])
