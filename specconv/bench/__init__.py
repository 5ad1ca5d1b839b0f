"""Honest timing of specconv beside what its user would use instead."""

from __future__ import annotations

from specconv.bench.clips import Clips
from specconv.bench.contest import Contest
from specconv.bench.peers import PEERS
from specconv.bench.pictures import draw
from specconv.bench.report import print_report, write_json
from specconv.bench.rows import BenchReport, Row
from specconv.bench.suites import SUITES, run_suite

__all__ = [
    "PEERS",
    "SUITES",
    "BenchReport",
    "Clips",
    "Contest",
    "Row",
    "draw",
    "print_report",
    "run_suite",
    "write_json",
]
