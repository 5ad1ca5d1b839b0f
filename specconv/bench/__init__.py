"""Honest timing of specconv beside what its user would use instead."""

from __future__ import annotations

from specconv.bench.clips import Clips
from specconv.bench.contest import Contest
from specconv.bench.peers import PEERS
from specconv.bench.pictures import draw
from specconv.bench.report import tables
from specconv.bench.rows import BenchReport, Row
from specconv.bench.suites import SUITES, run_suite
from specconv.bench.sweep import SweepReport, time_sweep
from specconv.bench.sweep_report import sweep_tables

__all__ = [
    "PEERS",
    "SUITES",
    "BenchReport",
    "Clips",
    "Contest",
    "Row",
    "SweepReport",
    "draw",
    "run_suite",
    "sweep_tables",
    "tables",
    "time_sweep",
]
