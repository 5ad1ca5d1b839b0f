"""YAML text to plain data and back, by the core schema of YAML 1.2.

PyYAML follows YAML 1.1, which reads ``016000`` as 7168, ``1:30`` as 90 and ``on`` as true. Here a value is a number,
a truth value or null only if YAML 1.2 says so: ``016000`` is 16000, ``0o17`` is 15, ``1e3`` is 1000.0; ``1:30``,
``1_000``, ``on`` and dates are words. What is written is quoted so that readers of either version read the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from specconv.errors import ConfigError, Fault

MOST_NODES = 100_000  # of the document with its aliases unfolded
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_NULL = re.compile(r"~|null|Null|NULL|")


class YamlText:
    """The one document of a text. value: plain data.

    Raises ConfigError for text that is no YAML, for keys that stand twice, and for values that are not what they are
    marked as.
    """

    def __init__(self, text: str) -> None:
        try:
            loader = _Loader(text)
            self._node = loader.get_single_node()
            if self._node is not None and (faults := list(_repeated_keys(self._node, "", set()))):
                raise ConfigError(faults)
            self.value = None if self._node is None else loader.construct_document(self._node)
        except yaml.YAMLError as error:
            raise ConfigError(f"is not YAML: {' '.join(str(error).split())}") from error
        except RecursionError as error:
            raise ConfigError("is nested too deeply; a config has four levels") from error
        if _unfolded_size(self.value, {}, set()) > MOST_NODES:
            raise ConfigError(f"unfolds its aliases into more than {MOST_NODES} values; write out what is meant")

    def with_line(self, fault: Fault) -> Fault:
        """The fault with the line where its key stands, or the last part of its key that stands there."""
        node, line = self._node, None
        for part in re.findall(r"[^.\[\]]+", fault.key):
            if isinstance(node, yaml.MappingNode):
                found = [pair for pair in node.value if pair[0].value == part]
                if not found:
                    break
                line, node = found[-1][0].start_mark.line, found[-1][1]
            elif isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
                node = node.value[int(part)]
                line = node.start_mark.line
            else:
                break
        return fault if line is None else Fault(fault.key, f"{fault.message} (line {line + 1})")


def to_yaml(value: Any) -> str:
    """Plain data as YAML text that means the same by YAML 1.1 and 1.2."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def _repeated_keys(node: yaml.Node, path: str, seen: set[int]) -> Iterator[Fault]:
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        counts = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for key, count in counts.items():
            if count > 1:
                lines = [k.start_mark.line + 1 for k, _ in node.value if k.value == key]
                where = f" in {path}" if path else ""
                told = " and ".join(str(line) for line in lines[:2])
                yield Fault("", f"is not YAML: the key {key!r} stands twice{where} (lines {told}); remove one of them")
        for key, child in node.value:
            yield from _repeated_keys(child, f"{path}.{key.value}" if path else str(key.value), seen)
    elif isinstance(node, yaml.SequenceNode):
        for i, child in enumerate(node.value):
            yield from _repeated_keys(child, f"{path}[{i}]", seen)


def _unfolded_size(node: Any, known: dict[int, int], above: set[int]) -> int:
    """How many values a document has with its aliases written out, computed once per shared part."""
    if not isinstance(node, (dict, list)):
        return 1
    if id(node) in above:
        raise ConfigError("holds an alias to something that contains it")
    if id(node) not in known:
        children = list(node.values()) if isinstance(node, dict) else node
        above.add(id(node))
        known[id(node)] = 1 + sum(_unfolded_size(child, known, above) for child in children)
        above.remove(id(node))
    return known[id(node)]


class _Loader(yaml.SafeLoader):
    """Plain data of the core schema, and merged mappings (``<<: *other``)."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._keys = 0

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Called before a mapping is made, and for each that it merges."""
        super().flatten_mapping(node)
        self._keys += len(node.value)
        if self._keys > MOST_NODES:
            message = f"its mappings have more than {MOST_NODES} keys, merged ones counted"
            raise ConstructorError(None, None, message, node.start_mark)

    def integer(self, node: yaml.ScalarNode) -> int:
        text = _matched(_INTEGER, node, "an integer")
        try:
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        except ValueError:  # Python reads no more than 4300 digits
            raise ConstructorError(None, None, f"a number of {len(text)} digits is too long", node.start_mark) from None

    def floating(self, node: yaml.ScalarNode) -> float:
        text = _matched(_FLOAT, node, "a number").lower()
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))

    def boolean(self, node: yaml.ScalarNode) -> bool:
        return _matched(_BOOL, node, "true or false").lower() == "true"

    def null(self, node: yaml.ScalarNode) -> None:
        _matched(_NULL, node, "null")


def _matched(pattern: re.Pattern[str], node: yaml.ScalarNode, wanted: str) -> str:
    if not isinstance(node, yaml.ScalarNode) or not pattern.fullmatch(node.value):
        raise ConstructorError(None, None, f"a value is marked as {wanted} and is none", node.start_mark)
    return str(node.value)


class _Dumper(yaml.SafeDumper):
    """PyYAML's, which quotes what YAML 1.1 would take for a number; and what YAML 1.2 would."""


_TAG = "tag:yaml.org,2002:"
_CORE: list[tuple[str, Callable[[_Loader, Any], Any], re.Pattern[str], list[str]]] = [
    ("null", _Loader.null, _NULL, [*"~nN", ""]),
    ("bool", _Loader.boolean, _BOOL, list("tTfF")),
    ("int", _Loader.integer, _INTEGER, list("-+0123456789")),
    ("float", _Loader.floating, _FLOAT, list("-+.0123456789")),
]
_Loader.yaml_implicit_resolvers = {"<": [(_TAG + "merge", re.compile("^<<$"))]}
_Loader.yaml_constructors = {
    _TAG + "str": yaml.SafeLoader.construct_yaml_str,
    _TAG + "seq": yaml.SafeLoader.construct_yaml_seq,
    _TAG + "map": yaml.SafeLoader.construct_yaml_map,
    None: yaml.SafeLoader.construct_undefined,
}
for _name, _make, _pattern, _first in _CORE:
    _Loader.add_constructor(_TAG + _name, _make)
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_TAG + _name, re.compile(f"^(?:{_pattern.pattern})$"), _first)
