from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from typer.testing import Result

Invoke = Callable[..., Result]


def test_a_picture_with_something_in_it(invoke: Invoke, shards: Path, tmp_path: Path) -> None:
    result = invoke("plot", shards, "--to", tmp_path / "all.png")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{tmp_path / 'all.png'}: ")
    pixels = imread(tmp_path / "all.png")
    assert min(pixels.shape[:2]) > 300
    assert len(np.unique((pixels[..., :3] * 255).astype(int).reshape(-1, 3), axis=0)) > 200


def test_the_clip_asked_for(invoke: Invoke, shards: Path, tmp_path: Path) -> None:
    result = invoke("plot", shards, "--to", tmp_path / "one.svg", "--clip", "high/d.wav")
    assert result.exit_code == 0
    assert result.stdout.rstrip().endswith("high/d.wav")
    assert (tmp_path / "one.svg").stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--to", "{}/picture.bmp"], "none of .png"),
        (["--to", "{}/no/picture.png"], "is no folder"),
        (["--to", "{}/picture.png", "--clip", "high/dd.wav"], "did you mean 'high/d.wav'?"),
    ],
)
def test_wrong_requests(options: list[str], said: str, invoke: Invoke, shards: Path, tmp_path: Path) -> None:
    result = invoke("plot", shards, *(option.format(tmp_path) for option in options))
    assert result.exit_code == 2
    assert said in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_folder(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("plot", tmp_path, "--to", tmp_path / "x.png")
    assert result.exit_code == 1
    assert "did not finish" in result.stderr
