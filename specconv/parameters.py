"""The strict, frozen base of everything that a config can say.

Transforms, layers and the config file describe their parameters as subclasses. Unknown keys and wrong types
are faults; so is whatever ``faults`` of a subclass yields, for bounds that need more than one value.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from specconv.errors import Fault


class Parameters(BaseModel):
    """Values with units and bounds, checked when made, never changed after."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def faults(self, sample_rate: float) -> Iterator[Fault]:  # noqa: ARG002
        """What is wrong with these values for audio of ``sample_rate`` Hz."""
        yield from ()


def validation_faults(error: ValidationError) -> list[Fault]:
    """What pydantic found wrong, each with its key path, the value found, the bound and the cure."""
    return [_fault(details) for details in error.errors(include_url=False)]


def _fault(details: ErrorDetails) -> Fault:
    key = ""
    for part in details["loc"]:
        key += f"[{part}]" if isinstance(part, int) else f"{'.' if key else ''}{part}"
    kind, found, context = details["type"], details["input"], details.get("ctx", {})
    bound = next((f"{_SIGNS[sign]} {context[sign]}" for sign in _SIGNS if sign in context), "")
    match kind:
        case "extra_forbidden":
            message = "is not known here; check its spelling or remove it"
        case "missing":
            message = "is missing; add it"
        case "literal_error":
            message = f"{found!r} is not one of {context['expected']}; choose one of these"
        case "value_error":
            message = str(context["error"])
        case _ if bound:
            message = f"{found!r} is out of bounds; it must be {bound}"
        case _:
            message = f"{found!r}: {details['msg'][0].lower()}{details['msg'][1:]}"
    return Fault(key, message)


_SIGNS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
