"""What is wrong with a run record, in one sentence, with the setting's path as the person wrote it."""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

OURS = "Value error, "
"""What pydantic puts before our own words."""


def first_fault(error: ValidationError, record: type[BaseModel]) -> str:
    """The first fault that pydantic found in a record: what must hold, and what was got or is near."""
    unknown = ("extra_forbidden", "unexpected_keyword_argument")
    fault = min(error.errors(), key=lambda each: each["type"] not in unknown)  # a misspelt setting is missing as well
    path, kind = [str(step) for step in fault["loc"]], fault["type"]
    where = ".".join(path)
    if kind in unknown:
        return f"{where} is no setting{_suggestion(path, record)}"
    if kind == "missing":
        return f"{where} must be given"
    if kind == "value_error":  # our own words, which name what was got
        return f"{where}: {fault['msg'].removeprefix(OURS)}"
    must = {"dataclass_type": "must hold settings by name", "tuple_type": "must be a list"}
    said = re.split(", (?:unable|got) ", fault["msg"].replace("Input should be", "must be"))[0]
    return f"{where}: {must.get(kind, said)}, got {fault['input']!r}"


def _suggestion(path: list[str], record: type[BaseModel]) -> str:
    known = _settings_of(record)
    for step in path[:-1]:
        known = known if step.isdigit() else _settings_of(known.get(step))
    near = get_close_matches(path[-1], list(known), n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}" if known else ""


def _settings_of(kind: Any) -> Mapping[str, Any]:
    """Types by name of a record's settings, or of those of the records in a list or a choice."""
    if is_dataclass(kind):
        return {each.name: each.type for each in fields(kind)}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {name: each.annotation for name, each in kind.model_fields.items()}
    return {name: of for part in get_args(kind) for name, of in _settings_of(part).items()}
