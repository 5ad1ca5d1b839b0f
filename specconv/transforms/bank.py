"""Transforms that are one bank of kernels slid along the waveform: CQT, VQT, gammatone.

Their parameters say which bank; the engine, the scaling and everything else is the same for all.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from pydantic import Field

from specconv.engines.conv1d import Conv1dBank
from specconv.engines.folded_bank import FoldedBank
from specconv.engines.long_fft import LongSpectrum
from specconv.engines.padding import PadMode
from specconv.errors import Fault, ParameterError
from specconv.kernels.bank import KernelBank
from specconv.transforms.base import LONGEST_HOP, Analysis, Transform, TransformParameters, check_convolvable
from specconv.transforms.scaling import FORMS, Detector


class BankParameters(TransformParameters):
    """What they share.

    hop_length: samples; frame t is centred on sample t · hop_length. pad_mode: what kernels see beyond the clip's ends.
    scale: magnitude, power, decibel (of power), log (of magnitude), complex or phase (rad).
    """

    hop_length: int = Field(512, ge=1, le=LONGEST_HOP)
    pad_mode: PadMode = "constant"

    @abstractmethod
    def bank(self, sample_rate: float) -> KernelBank:
        """The kernels. Raises ParameterError for values that give none."""

    def faults(self, sample_rate: float) -> Iterator[Fault]:
        yield from super().faults(sample_rate)
        try:
            self.bank(sample_rate)
        except ParameterError as error:
            yield from error.faults

    def make(self, sample_rate: float, *, trainable: bool) -> Transform:
        bank = self.bank(sample_rate)
        level = self.level("power" if self.scale == "decibel" else "magnitude")
        return Transform(
            self,
            self._analysis(bank, trainable),
            [Detector(FORMS[self.scale]), *level],
            sample_rate=sample_rate,
            hop_length=self.hop_length,
            center_frequencies=bank.center_frequencies,
        )

    def _analysis(self, bank: KernelBank, trainable: bool) -> Analysis:
        if self.engine_for(trainable) == "fft":
            folded = FoldedBank(bank, self.hop_length)
            return Analysis(LongSpectrum(self.hop_length, self.pad_mode), folded, (folded,))
        check_convolvable(bank)
        convolved = Conv1dBank(bank, self.hop_length, trainable=trainable)
        front = convolved.front(self.pad_mode)
        return Analysis(front, front, (convolved,))
