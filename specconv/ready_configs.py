"""The configs that come with specconv: each is found by its name, wherever specconv is installed."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

from specconv.errors import ConfigError
from specconv.storage import local_path

FOLDER = Path(__file__).parent / "configs"  # in a checkout a link to configs/


def ready_configs() -> dict[str, Path]:
    """Return the files by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def config_path(source: str | Path) -> Path:
    """Return the file that ``source`` names: a ready config by its name, or a file.

    Raises ConfigError for a name that no ready config and no file has, ParameterError for an address (s3://…).
    """
    if not _is_name(source):
        return local_path(source)
    name, configs = str(source), ready_configs()
    if name not in configs:
        close = get_close_matches(name, configs, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        raise ConfigError(f"{name}: no such file, and no ready config; {meant}choose from {', '.join(configs)}")
    return configs[name]


def config_reference(source: str | Path) -> str:
    """Return what names this config from any folder: its name if it is a ready one, else its full path."""
    return str(source) if _is_name(source) else str(Path(source).absolute())


def _is_name(source: str | Path) -> bool:
    """Whether this is a name: a single word that no file has (a folder of audio may have it)."""
    is_word = re.fullmatch(r"\w[\w-]*", str(source)) is not None
    return is_word and (Path(source).is_dir() or not Path(source).exists())
