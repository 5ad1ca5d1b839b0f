"""What tests of every room share."""

from __future__ import annotations

from pathlib import Path

import pytest

from specconv.datasets.demo import make_demo


@pytest.fixture(scope="session")
def demo_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny demo: piano_triads/, maps/ and musicnet/. Read it, never write into it."""
    root = tmp_path_factory.mktemp("demo")
    make_demo(root, size="tiny")
    return root
