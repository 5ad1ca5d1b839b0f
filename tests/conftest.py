"""What tests of every room share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from specconv.datasets.demo import make_demo

# A shared machine may take seconds over any example; CI looks at the same examples every time.
settings.register_profile("specconv", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("specconv")


@pytest.fixture(scope="session")
def demo_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny demo: piano_triads/, maps/ and musicnet/. Read it, never write into it."""
    root = tmp_path_factory.mktemp("demo")
    make_demo(root, size="tiny")
    return root
