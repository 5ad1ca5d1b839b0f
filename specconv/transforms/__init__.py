"""Spectrograms by name: each type's parameters, and a module built from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import ValidationError

from specconv.errors import Fault, ParameterError
from specconv.parameters import shown, validation_faults
from specconv.transforms.base import Engine, Transform, TransformParameters
from specconv.transforms.cfp import CfpParameters
from specconv.transforms.cqt import CqtParameters, VqtParameters
from specconv.transforms.gammatone import GammatonegramParameters, GammatoneParameters
from specconv.transforms.griffin_lim import GriffinLim
from specconv.transforms.inverse import Inverse
from specconv.transforms.inverse_cqt import InverseCqt
from specconv.transforms.inverse_stft import InverseStft
from specconv.transforms.mel import MelParameters
from specconv.transforms.mfcc import MfccParameters
from specconv.transforms.stft import StftParameters
from specconv.transforms.transform_set import TransformSet

TYPES: Mapping[str, type[TransformParameters]] = {
    "stft": StftParameters,
    "mel": MelParameters,
    "mfcc": MfccParameters,
    "cqt": CqtParameters,
    "vqt": VqtParameters,
    "gammatone": GammatoneParameters,
    "gammatonegram": GammatonegramParameters,
    "cfp": CfpParameters,
}


def transform_parameters(given: Mapping[str, Any]) -> TransformParameters:
    """The validated parameters of one transform, as a config's entry gives them (without lists to sweep).

    Raises ParameterError with every fault that can be seen without knowing the sample rate.
    """
    kind = given.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise ParameterError([Fault("type", f"is {shown(kind)}; must be one of {', '.join(TYPES)}")])
    try:
        return TYPES[kind].model_validate(given)
    except ValidationError as error:
        raise ParameterError(validation_faults(error, TYPES[kind])) from error


def build_transform(
    given: Mapping[str, Any] | TransformParameters,
    sample_rate: float,
    *,
    engine: Engine | None = None,
    trainable: bool = False,
) -> Transform:
    """A spectrogram as an ``nn.Module``: waveforms ``(batch, time)`` to ``(batch, n_bins, n_frames)``.

    given: an entry of a config's ``transforms``, as ``{"type": "mel", "n_fft": 1024, "n_mels": 64}``.
    sample_rate: Hz. engine: overrides the entry's. trainable: kernels and weights become parameters (conv1d).
    Raises ParameterError with every fault found.

    float32 and float64 waveforms are computed as they are; float16 and bfloat16 in float32, autocast or not.
    ``torch.compile`` takes every transform, in one graph all but cqt, vqt and gammatone by the fft engine: NumPy builds
    their weights once the clip's length is known, which breaks the graph. ``torch.export`` takes every transform for
    the shape it is given, with ``strict=True`` all but these three. By engine conv1d they have neither limit.
    """
    parameters = given if isinstance(given, TransformParameters) else transform_parameters(given)
    if engine is not None:
        if engine not in get_args(Engine):
            raise ParameterError([Fault("engine", f"is {shown(engine)}; must be one of {', '.join(get_args(Engine))}")])
        parameters = parameters.model_copy(update={"engine": engine})
    return parameters.build(sample_rate, trainable=trainable)


def build_inverse(transform: Transform) -> Inverse:
    """An ``nn.Module`` from the transform's specgrams ``(batch, n_bins, n_frames)`` to waveforms ``(batch, time)``.

    stft, complex: overlap-add, exact (`InverseStft`). stft, magnitude or power: phases are found (`GriffinLim`). cqt
    and vqt, complex: least squares (`InverseCqt`). Each class takes the transform too, with settings of its own.

    Raises ParameterError if the transform has no inverse.
    """
    parameters = transform.parameters_given
    inverses = (InverseStft, GriffinLim, InverseCqt)
    for inverse in inverses:
        if parameters.type in inverse.types and parameters.scale in inverse.scales:
            return inverse(transform)
    known = "; ".join(f"{' and '.join(i.types)} with scale {' or '.join(i.scales)}" for i in inverses)
    raise ParameterError(f"{parameters.type} with scale {parameters.scale} has no inverse; these have: {known}")


__all__ = [
    "TYPES",
    "GriffinLim",
    "Inverse",
    "InverseCqt",
    "InverseStft",
    "Transform",
    "TransformParameters",
    "TransformSet",
    "build_inverse",
    "build_transform",
    "transform_parameters",
]
