"""YAML and JSON that came as data → plain values, in bounded time and memory, or one sentence that names the file.

A few bytes of YAML can stand for billions of values (aliases of aliases), and both forms can be nested deeper than any
reader's stack. So YAML is walked through once as events, which costs no more than its length, before anything is built:

    a: &a [x, x]        4 values
    b: &b [*a, *a]      9: an alias counts as what it stands for
    c: [*b, *b]        19

Tags that would make objects are never obeyed: ruamel's round-trip and safe loaders know plain values alone.
"""

import json
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    NodeEvent,
)

LARGEST_YAML = 2**19
"""Characters of a YAML text: a record that leaves out ten thousand stacks by name."""
LARGEST_JSON = 2**25
"""Bytes of a JSON file: what `watch` remembers of a hundred thousand files; as values they take at most 1 GB."""
MOST_VALUES = 200_000
"""Values that a YAML text may stand for, aliases followed."""
DEEPEST = 32
"""Lists and mappings within each other in YAML."""


def load_yaml(text: str, what: str, yaml: YAML | None = None) -> Any:
    """Values of a YAML text; ValueError that begins with `what` where there are none.

    >>> load_yaml("{last: 0.2}", "a change")
    {'last': 0.2}
    """
    try:
        if len(text) > LARGEST_YAML:
            raise ValueError(f"{len(text):,} characters, of {LARGEST_YAML:,} at most")
        _require_modest(text)
        yaml = yaml or YAML(typ="safe", pure=True)
        yaml.composer.warn_double_anchors = False  # YAML allows it: an alias is of the last one before it
        return yaml.load(text)
    except (YAMLError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{what} must be YAML, got {_in_short(error)}") from error  # a date may be 2026-99-99


def load_json(content: bytes, what: str) -> Any:
    """Values of a JSON file; ValueError that begins with `what` where there are none.

    >>> load_json(b'{"a": [1]}', "a.json")
    {'a': [1]}
    """
    try:
        if len(content) > LARGEST_JSON:
            raise ValueError(f"{len(content):,} bytes, of {LARGEST_JSON:,} at most")
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what} must hold JSON, got {_in_short(error)}") from error


def _require_modest(text: str) -> None:
    """Refuse a text that is nested too deep, or stands for too many values."""
    sizes, begun, values = dict[str, int](), list[tuple[str | None, int]](), 0
    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, CollectionEndEvent):
            anchor, before = begun.pop()
            sizes |= {anchor: values - before} if anchor else {}
        elif isinstance(event, AliasEvent):
            values += _size_of(event.anchor, sizes)
        elif isinstance(event, CollectionStartEvent):
            begun.append((event.anchor, values))
            values += 1
        elif isinstance(event, NodeEvent):
            sizes |= {event.anchor: 1} if event.anchor else {}
            values += 1
        if len(begun) > DEEPEST:
            raise ValueError(f"lists and mappings more than {DEEPEST} deep")
        if values > MOST_VALUES:
            raise ValueError(f"more than {MOST_VALUES:,} values, aliases followed")


def _size_of(alias: str, sizes: Mapping[str, int]) -> int:
    if alias not in sizes:
        raise ValueError(f"an alias *{alias} of what is not whole before it")
    return sizes[alias]


def _in_short(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
