"""`dataset.yaml` on disk: read, written with comments, edited with the comments kept."""

import ast
import inspect
import io
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.comments import CommentedMap


from unet.folder import Dataset, Json
from unet.records import Record, Source, plain

HEAD = """\
# The run record of this dataset: the one file that a person edits.
# What is commented out is the default. After a change, `unet-flows reprocess DATASET` recomputes what it touches,
# and `--dry-run` says beforehand what that is.
"""


def read_record(dataset: Dataset, overrides: Mapping[str, Any] | None = None) -> Record:
    """Record of a dataset, with `overrides` by dotted names for this run alone.

    Raises:
        LookupError: the folder is no dataset.
        ValueError: the file, or an override, is wrong; the setting is named.
    """
    return Record.read(_plain(_edited(_load(dataset), overrides or {})))


def set_values(dataset: Dataset, changes: Mapping[str, Any]) -> list[str]:
    """Change settings in the file, comments kept; says each change, `segment.threshold: 0.5 → 0.6`."""
    before = read_record(dataset)
    edited = _edited(_load(dataset), changes)
    after = Record.read(_plain(edited))
    stream = io.StringIO()
    _yaml().dump(edited, stream)
    dataset.record.write(stream.getvalue().encode())
    return [f"{key}: {_value(before, key)} → {_value(after, key)}" for key in changes]


def parse_change(text: str) -> tuple[str, Any]:
    """Dotted name and value of `section.key=value`, the value read as YAML.

    >>> parse_change("train.validation={last: 0.2}")
    ('train.validation', {'last': 0.2})
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ValueError(f"--set must be section.key=value, got {text!r}")
    return key.strip(), _plain(YAML(typ="safe", pure=True).load(value))


def write_record(dataset: Dataset, sources: Sequence[Source], settings: Mapping[str, Any] | None = None) -> None:
    """Write a new file: the sources, the given settings, and every other setting as a comment with its default."""
    lines = [HEAD, _dump({"sources": [_given(source) for source in sources]})]
    for section, record in Record():
        if section in ("sources", "exclude", "cluster"):
            continue
        lines.append(_section(section, record, (settings or {}).get(section, {})))
    lines.append(
        "# Where regions are computed: a dask scheduler's address, or a cluster class with its options.\n# cluster: tcp://…\n"
    )
    dataset.record.write("\n".join(lines).encode())
    read_record(dataset)


def add_source(dataset: Dataset, source: Source) -> None:
    """Add one more source to the file, comments kept."""
    values = _load(dataset)
    values.setdefault("sources", []).append(_given(source))
    Record.read(_plain(values))
    stream = io.StringIO()
    _yaml().dump(values, stream)
    dataset.record.write(stream.getvalue().encode())


@cache
def field_docs(record: type) -> dict[str, str]:
    """First line of the docstring under each field of a record, its parents' fields included."""
    found: dict[str, str] = {}
    for cls in reversed(record.__mro__[:-1]):
        body = ast.parse(inspect.getsource(cls)).body[0]
        assert isinstance(body, ast.ClassDef)
        for statement, after in zip(body.body, body.body[1:], strict=False):
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                    found[statement.target.id] = str(after.value.value).strip()
    return found


def _section(name: str, record: Any, given: Mapping[str, Any]) -> str:
    docs, defaults = field_docs(type(record)), plain(record)
    summary = (type(record).__doc__ or "").splitlines()[0]
    lines = [f"# {summary}", f"{'' if given else '# '}{name}:"]
    for field in fields(record):
        value = given.get(field.name, defaults[field.name])
        written = f"  {field.name}: {_flow(value)}"
        lines.append(f"{'' if field.name in given else '# '}{written}  # {docs[field.name]}")
    return "\n".join(lines) + "\n"


def _given(source: Source) -> Json:
    return {key: value for key, value in plain(source).items() if value is not None}


def _flow(value: Any) -> str:
    stream = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style, yaml.width = True, 4096
    yaml.dump({"value": value}, stream)
    return stream.getvalue().strip().removeprefix("{value: ").removesuffix("}") if value is not None else "null"


def _dump(values: Json) -> str:
    stream = io.StringIO()
    _yaml().dump(values, stream)
    return stream.getvalue()


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _load(dataset: Dataset) -> Any:
    content = dataset.record.read()
    if content is None:
        raise LookupError(
            f"{dataset.url} must be a dataset, got a folder without dataset.yaml; run `unet-flows init {dataset.url}`"
        )
    try:
        values = _yaml().load(content.decode())
    except (YAMLError, UnicodeDecodeError) as error:
        place = " ".join(str(error).split())
        raise ValueError(f"{dataset.record.url} must be YAML, got {place}") from error
    if values is not None and not isinstance(values, dict):
        raise ValueError(f"{dataset.record.url} must hold settings by name, got {type(values).__name__}")
    return CommentedMap() if values is None else values


def _edited(values: Any, changes: Mapping[str, Any]) -> Any:
    for key, value in changes.items():
        *path, last = key.split(".")
        place = values
        for step in path:
            if not isinstance(place.get(step), dict):
                place[step] = CommentedMap()
            place = place[step]
        place[last] = value
    return values


def _plain(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {str(k): _plain(v) for k, v in values.items() if v is not None or k != "cluster"}
    if isinstance(values, list):
        return [_plain(v) for v in values]
    return values


def _value(record: Record, key: str) -> Any:
    value: Any = record.model_dump(mode="json")
    for step in key.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value
