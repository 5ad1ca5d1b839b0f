"""One measurement a row, and the report that holds them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from specconv.bench.machine import Machine
from specconv.bench.timing import Copies, Timing

TOGETHER = "together"
"""The work of several transforms as one, or added up."""

JSON_FIELDS = (
    "suite",
    "transform",
    "parameters",
    "library",
    "version",
    "device",
    "clips",
    "audio_seconds",
    "seconds_median",
    "seconds_iqr",
    "first_call_seconds",
    "copies_seconds",
    "floor_seconds",
    "max_rel_error",
    "status",
)


@dataclass(frozen=True)
class Row:
    """One transform by one library on one device.

    parameters: as given, with the parity that specconv took. version: "" where the library is not installed.
    timing: of all clips; None where it was not run. first_call_seconds: to build it and compute one clip.
    copies: the waveforms to the device and the specgrams back.
    status: "ok", "wrong: …", "not run: …" or "not compared: …".
    work: rows of one transform with equal ``work`` did the same amount of it, and only they are set in ratio.
    """

    suite: str
    transform: str
    parameters: Mapping[str, Any]
    library: str
    version: str
    device: str
    clips: int
    audio_seconds: float
    timing: Timing | None
    first_call_seconds: float | None
    copies: Copies
    floor_seconds: float
    max_rel_error: float | None
    status: str
    work: str = ""

    @property
    def is_ours(self) -> bool:
        """specconv's way of doing it; its transforms one by one, added up, are set beside that as others are."""
        return self.library.split()[0] == "specconv"

    @property
    def source(self) -> str:
        """The library without the way it went; specconv doing a peer's work is a source of its own."""
        return self.library if self.is_ours else self.library.split()[0]

    @property
    def was_run(self) -> bool:
        return self.timing is not None

    @property
    def is_wrong(self) -> bool:
        return self.status.startswith("wrong")

    def as_json(self) -> dict[str, Any]:
        """Exactly the fields that scripts rely on; null for what was not measured."""
        timing = self.timing
        error = self.max_rel_error
        values = (
            self.suite,
            self.transform,
            dict(self.parameters),
            self.library,
            self.version,
            self.device,
            self.clips,
            self.audio_seconds,
            timing and timing.median,
            timing and timing.iqr,
            self.first_call_seconds,
            timing and self.copies.total,
            self.floor_seconds,
            None if error is None or not math.isfinite(error) else error,
            self.status,
        )
        return dict(zip(JSON_FIELDS, values, strict=True))


def one_by_one(rows: Sequence[Row], title: str, transforms: Sequence[str]) -> list[Row]:
    """Each library's rows of ``transforms`` added up as one row of the transform ``title``, if it ran them all.

    Of a library's several ways to a transform, the first counts.
    """
    sums = []
    for source in dict.fromkeys(row.source for row in rows):
        own = {row.transform: row for row in reversed(rows) if row.source == source and row.was_run}
        if own.keys() >= set(transforms):
            sums.append(_added([own[name] for name in transforms], title))
    return sums


def _added(rows: Sequence[Row], title: str) -> Row:
    """Every figure the sum of the rows', but the error the largest."""
    timings = [row.timing for row in rows if row.timing is not None]
    wrong = [row.transform for row in rows if row.is_wrong]
    return replace(
        rows[0],
        transform=title,
        parameters={"transforms": [dict(row.parameters) for row in rows]},
        library=f"{rows[0].source}, one by one",
        timing=sum(timings[1:], timings[0]),
        first_call_seconds=sum(row.first_call_seconds or 0.0 for row in rows),
        copies=sum((row.copies for row in rows), Copies()),
        floor_seconds=sum(row.floor_seconds for row in rows),
        max_rel_error=max(row.max_rel_error or 0.0 for row in rows),
        status=f"wrong: {', '.join(wrong)}" if wrong else "ok",
        work=TOGETHER,
    )


@dataclass(frozen=True)
class Published:
    """A table of a paper, printed beside ours. cells: text as published."""

    title: str
    columns: Sequence[str]
    cells: Sequence[Sequence[str]]
    remark: str = ""


@dataclass(frozen=True)
class BenchReport:
    """What one suite found on one machine."""

    suite: str
    title: str
    machine: Machine
    rows: Sequence[Row]
    notes: Sequence[str] = ()
    published: Sequence[Published] = ()
    growth: Sequence[Row] = field(default=())

    def ratio(self, row: Row) -> float | None:
        """How many times longer ``row`` took than specconv for the same work on the same device family.

        None for specconv itself, and where either was not run. A wrong row has a ratio too, and must be marked.
        """
        ours = self.beside(row)
        if row.is_ours or row.timing is None or ours is None or ours.timing is None:
            return None
        return row.timing.median / ours.timing.median

    def beside(self, row: Row) -> Row | None:
        """specconv's row of the same transform and the same work."""
        same = (r for r in self.rows if r.is_ours and (r.transform, r.work) == (row.transform, row.work))
        return next(same, None)

    def as_json(self) -> list[dict[str, Any]]:
        """The rows, those of the growth curves last."""
        return [row.as_json() for row in (*self.rows, *self.growth)]
