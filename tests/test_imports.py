"""No two files import each other, directly or round a circle; imports for types count too."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

# Known: the base of transforms and their computing. The one who ends it removes this line.
KNOWN = ("specconv.transforms.base", "specconv.transforms.computing")


def imports_of_files() -> dict[str, set[str]]:
    graph = grimp.build_graph("specconv")
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def test_no_files_import_each_other_in_a_circle() -> None:
    imports = imports_of_files()
    imports[KNOWN[0]] = imports[KNOWN[0]] - {KNOWN[1]}
    TopologicalSorter(imports).prepare()


def test_a_circle_would_be_found() -> None:
    imports = imports_of_files()
    imports["specconv.errors"] = {"specconv.cli"}
    with pytest.raises(CycleError):
        TopologicalSorter(imports).prepare()
