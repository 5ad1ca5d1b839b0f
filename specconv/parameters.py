"""The strict, frozen base of everything that a config can say.

Transforms, layers and the config file describe their parameters as subclasses. Unknown keys and wrong types
are faults; so is whatever ``faults`` of a subclass yields, for bounds that need more than one value.
"""

from __future__ import annotations

from collections.abc import Iterator
from reprlib import Repr
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from specconv.errors import Fault, ParameterError


class Parameters(BaseModel):
    """Values with units and bounds, checked when made, never changed after."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def faults(self, sample_rate: float) -> Iterator[Fault]:  # noqa: ARG002
        """What is wrong with these values for audio of ``sample_rate`` Hz."""
        yield from ()


def validation_faults(error: ValidationError, model: type[Parameters]) -> list[Fault]:
    """What pydantic found wrong with a ``model``, each with its key path, the value found, the bound and the cure.

    A ParameterError that a validator raised gives its faults under the validator's key.
    """
    found: dict[str, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        found.setdefault(_key(details, model), []).append(details)
    faults: list[Fault] = []
    for key, alternatives in found.items():
        raised = alternatives[0].get("ctx", {}).get("error")
        if isinstance(raised, ParameterError):
            faults += [fault.under(key) if key else fault for fault in raised.faults]
        else:
            faults.append(Fault(key, _message(alternatives)))
    return faults


def shown(value: Any) -> str:
    """A value as a message shows it: on one line, and not much of a long or a deep one."""
    if isinstance(value, int) and value.bit_length() > 128:  # Python refuses to write the longest out
        return f"a number of {value.bit_length()} bits"
    return _SHORT.repr(value)


def _key(details: ErrorDetails, model: type[Parameters]) -> str:
    """The path to the field. What pydantic appends to it names one of the types that the field may have."""
    parts: list[str] = []
    inside: Any = model
    for part in details["loc"]:
        parts.append(str(part))
        field = inside.model_fields.get(part)
        inside = field.annotation if field is not None else None
        if not (isinstance(inside, type) and issubclass(inside, Parameters)):
            break
    return ".".join(parts)


def _message(alternatives: list[ErrorDetails]) -> str:
    """One sentence for all types that a value might have had and has not."""
    first = alternatives[0]
    match first["type"]:
        case "extra_forbidden":
            return "is not known here; check its spelling or remove it"
        case "missing":
            return "is missing; add it"
        case "value_error":
            return str(first["ctx"]["error"])
    wanted = dict.fromkeys(_wanted(details) for details in alternatives)
    return f"is {shown(first['input'])}; must {' or '.join(wanted)}"


def _wanted(details: ErrorDetails) -> str:
    context, text = details.get("ctx", {}), details["msg"]
    if details["type"] == "literal_error":
        return f"be {context['expected']}"
    if details["type"] == "model_type":
        return "be a mapping"
    for sign, words in _SIGNS.items():
        if sign in context:
            return f"be {words} {context[sign]:.15g}"
    return text.partition(" should ")[2] or f"be otherwise: {text}"


_SIGNS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
_SHORT = Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxtuple, _SHORT.maxdict = 2, 3, 3, 3
_SHORT.maxstring, _SHORT.maxother = 60, 60
