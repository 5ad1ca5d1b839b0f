"""What every inverse is: a module from a transform's specgrams back to waveforms."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from specconv.engines.precision import full_precision
from specconv.errors import Fault, ParameterError
from specconv.transforms.base import Scale, Transform


class Inverse(nn.Module):
    """Specgrams ``(batch, n_bins, n_frames)`` or ``(n_bins, n_frames)`` to waveforms ``(batch, time)`` or ``(time,)``.

    transform: what made the specgrams; one of ``types``, with one of ``scales``, and no layers after it. Raises
    ParameterError for any other.
    """

    types: Sequence[str]
    scales: Sequence[Scale]

    def __init__(self, transform: Transform) -> None:
        super().__init__()
        parameters = transform.parameters_given
        faults = []
        if parameters.type not in self.types:
            faults.append(
                Fault("type", f"is {parameters.type}; {type(self).__name__} inverts {' and '.join(self.types)}")
            )
        if parameters.scale not in self.scales:
            faults.append(
                Fault("scale", f"is {parameters.scale}; {type(self).__name__} inverts {' and '.join(self.scales)}")
            )
        if parameters.then:
            faults.append(Fault("then", "holds layers, which nothing undoes; invert what comes before them"))
        if faults:
            raise ParameterError(faults)
        self.n_bins, self.hop_length = transform.n_bins, transform.hop_length
        self._n_frames = transform.n_frames

    def forward(self, specgram: Tensor, length: int | None = None) -> Tensor:
        """length: samples of each waveform; the fewest that have so many frames if not given.

        Raises ParameterError for another shape or type of numbers than the transform's, or a length that has another
        number of frames.
        """
        if specgram.ndim == 2:
            return self.forward(specgram[None], length)[0]
        self._check(specgram)
        n_frames = specgram.shape[2]
        shortest, longest = self.shortest(n_frames), self.shortest(n_frames + 1) - 1
        if length is None:
            with full_precision(specgram.device.type):
                return self.inverted(specgram, self.unknown_length(shortest, longest))[:, :shortest]
        if not shortest <= length <= longest:
            raise ParameterError(
                f"length is {length} samples, but the specgram has {n_frames} frames; it must be {shortest} … {longest}"
            )
        with full_precision(specgram.device.type):
            return self.inverted(specgram, length)

    @abstractmethod
    def inverted(self, specgram: Tensor, n_samples: int) -> Tensor:
        """``(batch, n_bins, n_frames)`` to ``(batch, n_samples)``, which have so many frames."""

    def unknown_length(self, shortest: int, longest: int) -> int:  # noqa: ARG002
        """The length to invert at when none is given."""
        return shortest

    def shortest(self, n_frames: int) -> int:
        """The fewest samples, at least 1, that have ``n_frames`` frames."""
        longest = n_frames * self.hop_length  # has one frame more, unless frames begin in the clip
        while self._n_frames(longest) < n_frames:
            longest *= 2
        low, high = 1, longest
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._n_frames(middle) >= n_frames else (middle + 1, high)
        return low

    def _check(self, specgram: Tensor) -> None:
        wants_complex = "complex" in self.scales
        if specgram.ndim != 3 or specgram.shape[1] != self.n_bins or 0 in specgram.shape:
            raise ParameterError(
                f"the specgram is {tuple(specgram.shape)}; needed is (batch, {self.n_bins}, n_frames), not empty"
            )
        if specgram.is_complex() != wants_complex or not (wants_complex or specgram.is_floating_point()):
            raise ParameterError(
                f"the specgram is {specgram.dtype}; needed are {'complex' if wants_complex else 'real'} values"
            )
