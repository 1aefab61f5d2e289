"""What a model and its segments are made of, as plain values under flat names; and in words what differs between two.

Settings come from the stamps of what was made, never from the record, which may have changed since.
"""

from collections.abc import Mapping
from typing import Any

from unet.dataset.folder import Dataset, Json
from unet.ledger.recipes import PLAN_ONLY
from unet.ledger.results import model_of, report_of
from unet.ledger.stamp import digest
from unet.sources.stack_names import shortened

NAMED = 20
"""Stacks up to which they are kept by name; of more their number and a digest of their names."""
STACKS = ("training stacks", "validation stacks")
DATA = "pixels of training"
"""Name of the digest of all that training saw."""


def made_of(dataset: Dataset, model: str) -> Json:
    """All of it: settings, versions, packages and training data; nothing of a model that is not there."""
    stamp, metadata = model_of(dataset, model).known_stamp(), model_of(dataset, model).known_attributes()
    if stamp is None:
        return {}
    flat = {"came from": metadata["came_from"]} if metadata.get("came_from") else {}
    flat |= {f"{stamp.recipe.stage}.{key}": value for key, value in _flattened(stamp.recipe.settings).items()}
    flat |= {f"version of {stamp.recipe.stage}": stamp.recipe.version}
    flat |= {key: stamp.plan[key] for key in ("device", "precision") if key in stamp.plan}
    for use, name in zip(("training", "validation"), STACKS, strict=True):
        flat[name] = _kept(sorted({part["stack"] for part in metadata.get("split", ()) if part["use"] == use}))
    flat[DATA] = digest(stamp.recipe.inputs)
    return flat | _of_report(dataset, model) | {f"package {name}": of for name, of in stamp.packages.items()}


def _of_report(dataset: Dataset, model: str) -> Json:
    """How a model's segments were made and compared, as its report says."""
    settings, stamp = report_of(dataset, model).known_attributes().get("settings", {}), report_of(dataset, model)
    flat = dict[str, Any]()
    for section in ("weigh", "predict", "segment"):
        left_out = PLAN_ONLY.get(section, set())
        for key, value in _flattened(settings.get(section) or {}).items():
            flat |= {} if key.partition(".")[0] in left_out else {f"{section}.{key}": value}
    made = stamp.known_stamp()
    return flat | ({"version of evaluate": made.recipe.version} if made else {})


def _flattened(settings: Mapping[str, Any]) -> Json:
    """Settings within settings by dotted names.

    >>> _flattened({"steps": 5, "architecture": {"base": 8}})
    {'steps': 5, 'architecture.base': 8}
    """
    flat = dict[str, Any]()
    for key, value in settings.items():
        inner = _flattened(value) if isinstance(value, Mapping) and value else {"": value}
        flat |= {f"{key}.{name}".rstrip("."): of for name, of in inner.items()}
    return flat


def _kept(names: list[str]) -> Any:
    return names if len(names) <= NAMED else {"n": len(names), "digest": digest(names)}


def changes(before: Json, now: Json) -> list[str]:
    """What differs between two, in words; nothing where one of them is not known.

    >>> changes({"train.steps": 500, "train.seed": 1}, {"train.steps": 100, "train.seed": 1})
    ['train.steps 500 → 100']
    >>> changes({"training stacks": ["a"], "pixels of training": "3f"}, {"training stacks": ["a"], "device": "cuda"})
    ['device – → cuda', 'pixels of training changed']
    """
    if not before or not now:
        return []
    words, absent = list[str](), object()
    for key in sorted({*before, *now}):
        old, new = before.get(key, absent), now.get(key, absent)
        if old == new or (key == DATA and before.get(STACKS[0]) != now.get(STACKS[0])):
            continue
        if key in STACKS:
            words.append(_stacks_changed(key, before.get(key, []), now.get(key, [])))
        else:
            shown = ("–" if value is absent else value for value in (old, new))
            words.append(f"{key} changed" if key == DATA else "{} {} → {}".format(key, *shown))
    return words


def _stacks_changed(key: str, old: Any, new: Any) -> str:
    """Which stacks came and went, where they are known by name."""
    counts = [each["n"] if isinstance(each, dict) else len(each) for each in (old, new)]
    words = f"{key} {counts[0]} → {counts[1]}"
    if isinstance(old, list) and isinstance(new, list):
        more, less = sorted(set(new) - set(old)), sorted(set(old) - set(new))
        told = [f"with {shortened(more)}"] * bool(more) + [f"without {shortened(less)}"] * bool(less)
        return f"{words} ({', '.join(told)})"
    return f"{words} (others)" if counts[0] == counts[1] else words
