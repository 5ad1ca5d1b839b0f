"""Where shards are made. An executor knows nothing of how: it calls `specconv.pipeline.make_shards`.

To add a place: one module beside this file, and one line where executors are chosen (``convert``).
"""

from __future__ import annotations

from specconv.executors.convert import choose_executor, convert
from specconv.executors.in_process import InProcess
from specconv.executors.processes import Processes

__all__ = ["InProcess", "Processes", "choose_executor", "convert"]
