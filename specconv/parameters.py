"""The strict, frozen base of everything that a config can say.

Transforms, layers and the config file describe their parameters as subclasses. Unknown keys and wrong types
are faults; so is whatever ``faults`` of a subclass yields, for bounds that need more than one value.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from specconv.errors import Fault


class Parameters(BaseModel):
    """Values with units and bounds, checked when made, never changed after."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def faults(self, sample_rate: float) -> Iterator[Fault]:
        """What is wrong with these values for audio of ``sample_rate`` Hz."""
        yield from ()
