"""From a YAML file to a validated, frozen job.

    audio:      {sample_rate: 16000, channels: mono, duration: 4.0}
    transforms: [{type: mel, n_fft: [1024, 2048], n_mels: 64}]     a list sweeps: one transform per combination
    shards:     {clips: 512, dtype: float32, compression: none}

Every fault of a file is reported at once, each with its key path, the value found, the bound and the cure. Only plain
data is loaded; aliases may not unfold into more than a config can sensibly hold.
"""

from __future__ import annotations

import itertools
import math
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from specconv.audio.clip import LONGEST_DURATION
from specconv.errors import ConfigError, Fault, ParameterError
from specconv.layers import training_only
from specconv.parameters import Parameters, shown, validation_faults
from specconv.ready_configs import config_path
from specconv.transforms import TYPES, TransformParameters, transform_parameters
from specconv.yaml_text import YamlText, to_yaml

LARGEST_FILE = 2**20  # bytes; the largest ready sweep has two thousand
MOST_TRANSFORMS = 1000  # of a sweep; each is a dataset in every shard
MOST_FAULTS = 100  # lines of one message
NOT_SWEPT = {"then"}  # keys whose value is a list by nature


class AudioConfig(Parameters):
    """What every clip becomes before it is transformed.

    sample_rate: Hz; None: clips keep theirs, and must agree. channels: mono (mean of channels) or first.
    duration: s, at most a day, cut or zero-padded on the right; None: each clip keeps its length.
    """

    sample_rate: int | None = Field(None, ge=1, le=10_000_000)
    channels: Literal["mono", "first"] = "mono"
    duration: float | None = Field(None, gt=0, le=LONGEST_DURATION)


class ShardsConfig(Parameters):
    """clips: at most so many clips a shard. dtype: of the values. compression: of the datasets."""

    clips: int = Field(512, ge=1, le=1_000_000)
    dtype: Literal["float32", "float16"] = "float32"
    compression: Literal["none", "gzip", "lzf", "zstd"] = "none"


class _Document(Parameters):
    audio: AudioConfig = AudioConfig()
    transforms: list[Any] = Field(min_length=1)
    shards: ShardsConfig = ShardsConfig()


class Job(Parameters):
    """A config, validated. transforms: the sweep unfolded, each with its own name.

    keys: where in the file each transform stands, ``transforms[2]``.
    """

    audio: AudioConfig
    transforms: tuple[TransformParameters, ...]
    shards: ShardsConfig
    keys: tuple[str, ...]

    def check(self, sample_rate: float) -> None:
        """Raise ConfigError with every fault that these transforms have for audio of ``sample_rate`` Hz."""
        found = [
            fault.under(key)
            for key, transform in zip(self.keys, self.transforms, strict=True)
            for fault in transform.faults(sample_rate)
        ]
        if found:
            raise ConfigError(_told(found))

    def training_only(self) -> dict[str, list[str]]:
        """The transforms that have each layer which does nothing outside of training, by the layer's name."""
        found: dict[str, list[str]] = {}
        for transform in self.transforms:
            for layer in training_only(transform.then):
                found.setdefault(layer, []).append(transform.name or transform.type)
        return found

    def to_yaml(self) -> str:
        """The job with every default written out; loading it again gives the same job."""
        document = {
            "audio": self.audio.model_dump(mode="json"),
            "transforms": [transform.model_dump(mode="json") for transform in self.transforms],
            "shards": self.shards.model_dump(mode="json"),
        }
        return to_yaml(document)


def load_config(source: str | Path | Mapping[str, Any]) -> Job:
    """Read a config file, a ready config by its name ("piano_triads"), or a mapping that looks like a config.

    Raises ConfigError with every fault found, or if the file cannot be read; ParameterError for an address (s3://…).
    """
    if isinstance(source, Mapping):
        return _validated(source)
    source = config_path(source)
    try:
        if not stat.S_ISREG(source.stat().st_mode):  # opening a fifo can wait for ever
            raise ConfigError(f"{source}: cannot be read: it is no regular file; save the config as one")
        with source.open("rb") as file:
            text = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        raise ConfigError(f"{source}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(text) > LARGEST_FILE:
        raise ConfigError(f"{source}: is larger than {LARGEST_FILE} bytes; a config is a page of text")
    try:
        return parse_config(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{source}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from error


def parse_config(text: str) -> Job:
    """A job from the text of a config."""
    document = YamlText(text)
    if not isinstance(document.value, Mapping):
        raise ConfigError(f"is {shown(document.value)}; must be a mapping with the keys audio, transforms, shards")
    try:
        return _validated(document.value)
    except ConfigError as error:
        raise ConfigError([document.with_line(fault) for fault in error.faults]) from error


def _validated(document: Mapping[str, Any]) -> Job:
    faults: list[Fault] = []
    audio, shards, entries = AudioConfig(), ShardsConfig(), document.get("transforms")
    try:
        sections = _Document.model_validate(dict(document))
        audio, shards = sections.audio, sections.shards
    except ValidationError as error:
        faults += validation_faults(error, _Document)
        given = document.get("audio")
        if isinstance(given, Mapping):
            with suppress(ValidationError):  # the rate is enough to find the transforms' faults as well
                audio = AudioConfig(sample_rate=given.get("sample_rate"))
    transforms: list[TransformParameters] = []
    keys: list[str] = []
    for i, entry in enumerate(entries if isinstance(entries, list) else []):
        key = f"transforms[{i}]"
        try:
            for given in _unfold(entry):
                if len(transforms) == MOST_TRANSFORMS:
                    raise ConfigError([Fault("transforms", f"ask for more than {MOST_TRANSFORMS}, the most possible")])
                transforms.append(transform_parameters(given))
                keys.append(key)
                if audio.sample_rate is not None:
                    faults += [fault.under(key) for fault in transforms[-1].faults(audio.sample_rate)]
        except ConfigError:
            raise
        except ParameterError as error:
            faults += [fault.under(key) for fault in error.faults]
    for name, count in Counter(transform.name or "" for transform in transforms).items():
        if count > 1:
            first, second = [k for k, t in zip(keys, transforms, strict=True) if t.name == name][:2]
            if first == second:
                message = f"sweeps to the name {name!r} {count} times; let each value stand once"
            else:
                message = f"is named {name!r} like {first}; give one of them another name"
            faults.append(Fault(second, message))
    if faults:
        raise ConfigError(_told(faults))
    return Job(audio=audio, transforms=tuple(transforms), shards=shards, keys=tuple(keys))


def _told(faults: list[Fault]) -> list[Fault]:
    """Each once, and no more than somebody reads."""
    told = list(dict.fromkeys(faults))
    return told if len(told) <= MOST_FAULTS else [*told[:MOST_FAULTS], Fault("", f"and {len(told) - MOST_FAULTS} more")]


def _unfold(entry: Any) -> Iterator[dict[str, Any]]:
    """One mapping per combination of an entry's lists, named after its type and the swept values."""
    if not isinstance(entry, Mapping):
        raise ParameterError(f"is {shown(entry)}; must be a mapping like {{type: mel, n_mels: 64}}")
    if not_text := [key for key in entry if not isinstance(key, str)]:
        raise ParameterError(f"has the key {shown(not_text[0])}; keys are words")
    if "window" in entry:
        entry = {**entry, "window": _windows(entry["window"])}
    swept = {key: value for key, value in entry.items() if isinstance(value, list) and key not in NOT_SWEPT}
    for key, listed in swept.items():
        if not listed:
            raise ParameterError([Fault(key, "is an empty list; name at least one value or remove the key")])
        if any(isinstance(value, (list, dict)) for value in listed):
            raise ParameterError([Fault(key, "holds a list or a mapping; a sweep's values are numbers or words")])
    combinations = math.prod(len(values) for values in swept.values())
    if combinations > MOST_TRANSFORMS:
        lengths = " x ".join(f"{len(values)} {key}" for key, values in swept.items())
        raise ParameterError(
            f"sweeps {combinations} combinations ({lengths}); at most {MOST_TRANSFORMS} are possible, "
            "so sweep fewer values"
        )
    kind = entry.get("type")
    stem = entry.get("name") or (kind if isinstance(kind, str) and kind in TYPES else "")
    for values in itertools.product(*swept.values()):
        given = {**entry, **dict(zip(swept, values, strict=True))}
        if isinstance(stem, str):
            given["name"] = "-".join([*([stem] if stem else []), *(_in_a_name(value) for value in values)]) or None
        yield given


def _windows(given: Any) -> Any:
    """A window with parameters is a list that holds a number, [kaiser, 8.6]; other lists sweep."""
    if not isinstance(given, (list, tuple)):
        return given
    if any(isinstance(part, (int, float)) for part in given):
        return tuple(given)
    return [_windows(part) for part in given]


def _in_a_name(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return re.sub(r"[^A-Za-z0-9_.+=]+", "_", text)
