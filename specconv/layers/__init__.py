"""What sits around a transform in a network: scaling, normalization, augmentation, trainable filters.

Each module is one layer: its parameters, which a config's ``then`` list names, and its ``nn.Module``.
"""

from __future__ import annotations

from collections.abc import Sequence

from specconv.layers.base import LayerParameters
from specconv.layers.decibel import DecibelParameters
from specconv.layers.delta import DeltaParameters
from specconv.layers.filterbank import FilterbankParameters
from specconv.layers.noise import NoiseParameters
from specconv.layers.normalization import NormalizationParameters
from specconv.layers.spec_augment import SpecAugmentParameters

LAYERS: dict[str, type[LayerParameters]] = {
    "decibel": DecibelParameters,
    "delta": DeltaParameters,
    "filterbank": FilterbankParameters,
    "noise": NoiseParameters,
    "normalization": NormalizationParameters,
    "spec_augment": SpecAugmentParameters,
}


def training_only(layers: Sequence[LayerParameters]) -> list[str]:
    """Return the names of those layers that change nothing outside of training."""
    kinds = {type(layer) for layer in layers}
    return [name for name, kind in LAYERS.items() if kind in kinds and kind.training_only]
