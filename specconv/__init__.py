"""specconv: folders of audio become spectrograms.

    job = specconv.load_config("piano_triads")
    report = specconv.convert("audio/", job, "out/")
    data = specconv.ShardDataset("out/", "mel")
    layer = specconv.build_transform({"type": "mel", "n_fft": 1024, "n_mels": 64}, sample_rate=16000)
    back = specconv.build_inverse(specconv.build_transform({"type": "stft"}, sample_rate=16000))

The names are loaded on first use, so that ``specconv --help`` does not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from specconv.version import __version__

if TYPE_CHECKING:
    from specconv.config import load_config as load_config
    from specconv.executors.convert import convert as convert
    from specconv.shards import ShardDataset as ShardDataset
    from specconv.transforms import TransformSet as TransformSet
    from specconv.transforms import build_inverse as build_inverse
    from specconv.transforms import build_transform as build_transform

_HOMES = {
    "load_config": "specconv.config",
    "build_transform": "specconv.transforms",
    "build_inverse": "specconv.transforms",
    "TransformSet": "specconv.transforms",
    "convert": "specconv.executors",
    "ShardDataset": "specconv.shards",
}
__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'specconv' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
