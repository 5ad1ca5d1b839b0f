"""What every layer around a transform has in common.

A layer takes real specgrams ``(batch, n_bins, n_frames)`` or ``(batch, channel, n_bins, n_frames)`` and gives
specgrams back. Its parameters are what a config's ``then`` list says; ``build`` makes the module once it is
known what comes in (``SpecgramInfo``), and ``output`` says what comes out.

A layer's ``scope`` says what a frame of its output depends on:

- ``frame``: on the same frame (and ``context`` frames on each side) of the same clip. A long recording can
  pass block by block.
- ``clip``: on the whole clip. A long recording passes twice: ``observe`` every block, then ``adjust`` every
  block with what was observed. ``forward`` is both on a clip that is whole.
- ``batch``: on the other clips of the batch. Such a layer belongs in a network, never in a stored specgram.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from specconv.errors import Fault, ParameterError
from specconv.parameters import Parameters

Scope = Literal["frame", "clip", "batch"]
Statistics = TypeVar("Statistics")


@dataclass(frozen=True, eq=False)
class SpecgramInfo:
    """What is known of a specgram before there is one.

    sample_rate: Hz, of the waveforms it was made of. hop_length: samples from frame to frame.
    center_frequencies: ``(n_bins,)`` Hz; NaN where a bin has none (a cepstral coefficient).
    units: of its values, as a shard names them ("dB"); empty if nobody said.
    """

    n_bins: int
    sample_rate: float
    hop_length: int
    center_frequencies: NDArray[np.float64]
    units: str = ""


class Layer(nn.Module):
    """A module from specgrams to specgrams that says what a frame of its output depends on."""

    @property
    def scope(self) -> Scope:
        """See the module's docstring."""
        return "frame"

    @property
    def context(self) -> int:
        """Frames on each side of a frame that its output depends on (beyond what ``scope`` says)."""
        return 0

    @property
    def draws(self) -> bool:
        """Whether it draws random numbers for its clips in ``train()``: they must come whole then."""
        return False


class ClipLayer(Layer, Generic[Statistics]):
    """A layer that must see a whole clip before it can give its first frame.

    ``observe(block, statistics)`` adds a block of frames to what is known of its clips and ``adjust(block,
    statistics)`` gives the block's output. (Not ``apply``: ``nn.Module`` has a method of that name.)
    """

    @property
    def observes(self) -> bool:
        """Whether all blocks must be observed before any is adjusted; else each is known by itself."""
        return self.scope != "frame"

    @abstractmethod
    def observe(self, specgram: Tensor, statistics: Statistics | None = None) -> Statistics:
        """What is known of the clips after this block of at least one frame, given what was known before."""

    @abstractmethod
    def adjust(self, specgram: Tensor, statistics: Statistics) -> Tensor:
        """The block's output, shape and type as the input, given what is known of its clips."""

    def forward(self, specgram: Tensor) -> Tensor:
        check_specgram(specgram)
        if specgram.shape[-1] == 0:
            return specgram
        return self.adjust(specgram, self.observe(specgram))


class LayerParameters(Parameters):
    """A layer in a config: ``{layer: <name>, ...}``.

    training_only: the module changes nothing outside of ``train()``, as when converting or timing.
    """

    training_only: ClassVar[bool] = False

    @property
    def scope(self) -> Scope:
        """The scope of the module that these parameters build."""
        return "frame"

    def source_faults(self, source: SpecgramInfo) -> Iterator[Fault]:  # noqa: ARG002
        """What is wrong with these values for a specgram like ``source``."""
        yield from ()

    def build(self, source: SpecgramInfo) -> Layer:
        """The module for specgrams like ``source``; ParameterError with all faults if there can be none."""
        faults = tuple(self.source_faults(source))
        if faults:
            raise ParameterError(faults)
        return self.make(source)

    @abstractmethod
    def make(self, source: SpecgramInfo) -> Layer:
        """The module, for a source without faults."""

    def output(self, source: SpecgramInfo) -> SpecgramInfo:
        """What the module makes of a specgram like ``source``."""
        return source


def by_frame(module: nn.Module) -> bool:
    """Whether each frame of the output depends on the same frame of the input and on nothing else."""
    return not isinstance(module, Layer) or (module.scope == "frame" and module.context == 0 and not module.draws)


def check_specgram(specgram: Tensor) -> None:
    """ParameterError unless ``specgram`` is real floating point with a batch, a bin and a frame axis."""
    if not specgram.is_floating_point():
        raise ParameterError(f"a layer takes real floating-point specgrams, not {specgram.dtype}")
    if specgram.dim() not in (3, 4):
        raise ParameterError(
            "a layer takes (batch, n_bins, n_frames) or (batch, channel, n_bins, n_frames), "
            f"not a shape of {tuple(specgram.shape)}"
        )


def at_least_float32(specgram: Tensor) -> Tensor:
    """float16 and bfloat16 as float32, in which layers compute; float32 and float64 as they are."""
    return specgram.to(torch.promote_types(specgram.dtype, torch.float32))
