"""Pictures of specgrams."""

from __future__ import annotations

from specconv.plot.picture import FORMATS, draw

__all__ = ["FORMATS", "draw"]
