"""Several transforms of the same audio, with the work that they share done once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from specconv.errors import Fault, ParameterError
from specconv.transforms.base import Transform
from specconv.transforms.computing import compute


class TransformSet(nn.Module):
    """Waveforms ``(batch, time)`` to a specgram ``(batch, n_bins, n_frames)`` by each transform's name.

    Each distinct front (framed spectrum, long spectrum) is computed once for all transforms that finish it; the
    numbers are those of the transforms one by one. Raises ParameterError if two have the same name.
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        super().__init__()
        repeated = [name for name, count in Counter(t.name for t in transforms).items() if count > 1]
        if repeated:
            raise ParameterError([Fault("name", f"{name!r} names several transforms") for name in repeated])
        self.transforms = nn.ModuleList(transforms)

    @property
    def by_name(self) -> Mapping[str, Transform]:
        return {transform.name: transform for transform in self._members}

    @property
    def _members(self) -> list[Transform]:
        return [member for member in self.transforms if isinstance(member, Transform)]

    def forward(self, waveforms: Tensor, lengths: Sequence[int] | None = None) -> dict[str, Tensor]:
        """lengths: samples of each row that are its own, when rows are padded; frames beyond a row's own are zero."""
        members = self._members
        return {t.name: specgram for t, specgram in zip(members, compute(members, waveforms, lengths), strict=True)}
