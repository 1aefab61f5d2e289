"""`dataset.yaml` on disk: read, written with comments, edited with the comments kept."""

import ast
import inspect
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache, lru_cache
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedBase, CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark
from ruamel.yaml.tokens import CommentToken

from unet.dataset.folder import Dataset, Json
from unet.dataset.safe_load import LARGEST_YAML, load_yaml
from unet.settings.classes import clean_table
from unet.settings.ingest import Source
from unet.settings.record import Record, plain

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
    if overrides:
        return _record(dataset, _edited(_parse(dataset, _text(dataset)), overrides))
    return _record_of(dataset, _text(dataset))


@lru_cache(maxsize=8)
def _record_of(dataset: Dataset, text: str) -> Record:
    """The record that a text holds; one text is read once, as that takes longer than to plan a small dataset."""
    return _record(dataset, _parse(dataset, text))


def set_values(dataset: Dataset, changes: Mapping[str, Any]) -> list[str]:
    """Change settings in the file, comments kept; says each change, `segment.threshold: 0.5 → 0.6`."""
    before, text = read_record(dataset), _text(dataset)
    for key in changes:
        text = _live(dataset, text, key)
    text = _dump(_edited(_parse(dataset, text), changes))
    after = _record_of(dataset, text)
    dataset.record.write(text.encode())
    return [f"{key}: {_value(before, key)} → {_value(after, key)}" for key in changes]


def parse_change(text: str) -> tuple[str, Any]:
    """Dotted name and value of `section.key=value`, the value read as YAML.

    >>> parse_change("train.validation={last: 0.2}")
    ('train.validation', {'last': 0.2})
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ValueError(f"a change must be section.key=value, got {text!r}; write it like train.steps=500")
    return key.strip(), _plain(load_yaml(value, f"the value of {key.strip()}"))


def write_record(dataset: Dataset, sources: Sequence[Source]) -> None:
    """Write a new file: the sources, and every other setting as a comment with its default."""
    docs, defaults = field_docs(Record), Record()
    lines = [HEAD, _dump({"sources": [_given(source) for source in sources]}) + _other_settings(sources)]
    for name, value in defaults:
        if name in ("exclude", "cluster"):
            lines.append(f"# {name}: {_flow(plain(value))}  # {docs[name]}\n")
        elif name != "sources":
            lines.append(_section(name, value))
    dataset.record.write("\n".join(lines).encode())
    read_record(dataset)


def put_source(dataset: Dataset, source: Source, number: int | None = None) -> None:
    """Add one more source to the file, or put it in the place of the one of this number; comments are kept.

    A new one is put first, since what follows the last are comments.
    """
    values = _parse(dataset, _text(dataset))
    _record(dataset, values)
    if number is not None:
        _replace(values["sources"][number], _given(source))
    elif values.get("sources"):
        values["sources"].insert(0, _given(source))
    else:
        values["sources"] = [_given(source)]
    _record(dataset, values)
    dataset.record.write(_dump(values).encode())


@cache
def field_docs(record: type) -> dict[str, str]:
    """First line of the docstring under each field of a record, its parents' fields included."""
    found: dict[str, str] = {}
    for cls in reversed([cls for cls in record.__mro__ if cls.__module__ == record.__module__]):
        body = ast.parse(inspect.getsource(cls)).body[0]
        assert isinstance(body, ast.ClassDef)
        for statement, after in zip(body.body, body.body[1:], strict=False):
            match statement, after:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                    found[name] = words.strip().splitlines()[0]
    return found


def _section(name: str, record: Any) -> str:
    kind: type = type(record)
    docs, defaults = field_docs(kind), plain(record)
    lines = [f"# {(kind.__doc__ or '').splitlines()[0]}", f"# {name}:"]
    lines += [f"#   {each.name}: {_flow(defaults[each.name])}  # {docs[each.name]}" for each in fields(record)]
    return "\n".join(lines) + "\n"


def _given(source: Source) -> Json:
    """What is set of a source, and how its truth is read."""
    by_default = {each.name: each.default for each in fields(source)}
    return {
        key: clean_table(value) if key == "classes" and value else value
        for key, value in plain(source).items()
        if value != by_default[key] or (key == "foreground" and source.truth)
    }


def _replace(old: Any, new: Json) -> None:
    """Put new values in the place of old ones, key by key, so that comments stay."""
    behind = _cut_behind(old)
    for key in [key for key in old if key not in new]:
        del old[key]
    for number, (key, value) in enumerate(new.items()):
        if key in old:
            old[key] = _on_one_line(value)
        else:
            old.insert(number, key, _on_one_line(value))
    if behind:
        slots = old.ca.items.setdefault(list(old)[-1], [None, None, None, None])
        inline = slots[2].value if slots[2] else "\n"
        slots[2] = CommentToken(inline + behind, CommentMark(0), None)


def _cut_behind(node: Any) -> str:
    """The comments that follow a setting, taken off its last line, with which the parser keeps them."""
    last, slot = (list(node)[-1], 2) if isinstance(node, dict) else (len(node) - 1, 0)
    if isinstance(node[last], CommentedBase) and node[last] and not node[last].fa.flow_style():
        return _cut_behind(node[last])
    token = node.ca.items.get(last, [None] * 4)[slot]
    if token is None:
        return ""
    inline, _, behind = token.value.partition("\n")
    token.value = f"{inline}\n"
    return str(behind)


def _on_one_line(value: Json) -> Any:
    """A value whose own settings stand on its line, so that what follows it is kept with its key."""
    if isinstance(value, dict | list):
        value = CommentedMap(value) if isinstance(value, dict) else CommentedSeq(value)
        value.fa.set_flow_style()
    return value


def _other_settings(sources: Sequence[Source]) -> str:
    """Comments with what a source may say besides."""
    docs, given = field_docs(Source), {key for source in sources for key in _given(source)}
    lines = [
        f"#     {each.name}: {_flow(each.default)}  # {docs[each.name]}"
        for each in fields(Source)
        if each.name not in given
    ]
    return "\n".join(["# A source may say besides:", *lines]) + "\n"


def _flow(value: Any) -> str:
    """A value on one line."""
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


def _text(dataset: Dataset) -> str:
    content = dataset.record.read(4 * LARGEST_YAML + 1)  # a character takes four bytes at most
    if content is None:
        raise LookupError(
            f"{dataset.url} must be a dataset, got a folder without dataset.yaml; run `unet-flows init {dataset.url}`"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{dataset.record.url} must be YAML in UTF-8, got {error}") from error


def _parse(dataset: Dataset, text: str) -> Any:
    """The settings in a text, with its comments; an empty dictionary where there are only comments."""
    values = load_yaml(text, dataset.record.url, _yaml())
    if values is None:  # or its comments would be lost
        values = load_yaml(f"{text}\n{{}}\n", dataset.record.url, _yaml())
    if not isinstance(values, dict):
        kind = "a list" if isinstance(values, list) else type(values).__name__
        raise ValueError(f"{dataset.record.url} must hold settings by name, got {kind}")
    return values


def _record(dataset: Dataset, values: Any) -> Record:
    return Record.read(_plain(values), dataset.record.name)


def _edited(values: Any, changes: Mapping[str, Any]) -> Any:
    for key, value in changes.items():
        *path, last = key.split(".")
        place = values
        for step in path:
            if isinstance(place.get(step), list):
                raise ValueError(f"{key} must be a setting by name, got one in a list; set {step} as a whole")
            if not isinstance(place.get(step), dict):
                place[step] = CommentedMap()
            place = place[step]
        written = _yaml().load(_flow(value))  # a list on one line, or it would stand behind the comments that follow
        if last in place or place is values:
            place[last] = written
        else:  # first, since what follows the last are comments, of the next section too
            place.insert(0, last, written)
    return values


def _live(dataset: Dataset, text: str, key: str) -> str:
    """The text with a setting's default and its section's line un-commented, where they stand as we wrote them."""
    section, name = (re.escape(step) for step in [*key.split("."), ""][:2])
    lines, inside = [], False
    for line in text.splitlines(keepends=True):
        head = re.match(r"(?:# )?(\w+):", line)
        inside = head[1] == section if head else inside
        wanted = inside and re.match(rf"# {section}:|#   {name}:", line)
        lines.append(line[2:] if wanted else line)
    live = "".join(lines)
    return live if live == text or _is_same_but(dataset, live, text, key) else text


def _is_same_but(dataset: Dataset, live: str, text: str, key: str) -> bool:
    """Whether two texts differ in one setting only; a person's own comments may look like our defaults."""
    section, name = [*key.split("."), ""][:2]
    try:
        both = [dict(_values(dataset, each)) for each in (live, text)]
    except ValueError:
        return False
    for values in both:
        if isinstance(of_section := values.get(section), dict):
            values[section] = {key: value for key, value in of_section.items() if key != name}
        if not name or not values.get(section):
            values.pop(section, None)
    return bool(both[0] == both[1])


@lru_cache(maxsize=8)
def _values(dataset: Dataset, text: str) -> dict[str, Any]:
    """The settings in a text, without its comments; not to be changed by who is given them."""
    found: dict[str, Any] = _plain(_parse(dataset, text))
    return found


def _plain(values: Any) -> Any:
    if isinstance(values, Mapping):
        found = {str(key): _plain(value) for key, value in values.items()}
        if len(found) < len(values):  # 1 and "1", of which YAML says that they differ
            twice = next(key for key, count in Counter(map(str, values)).items() if count > 1)
            raise ValueError(f"dataset.yaml must name each key once, got {twice} in two ways of writing; remove one")
        return found
    if isinstance(values, list):
        return [_plain(value) for value in values]
    return values


def _value(record: Record, key: str) -> Any:
    value: Any = record.model_dump(mode="json")
    for step in key.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value
