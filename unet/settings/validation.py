"""What a setting may hold, and what is said in one sentence where it does not.

Addresses of datasets, sources, models and clusters hold no secret: they are written into records, stamps and logs.
Whoever reads or writes elsewhere says who they are by their environment, or by the configuration of fsspec and dask.
"""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from unet.settings.renamed import new_name

PASSWORD = re.compile(r"(?<=://)[^/@]*:[^/@]*(?=@)")
"""A user with a password; one without is none: `abfs://container@account` is an address."""
TOKEN = re.compile(r"(?<=[?&])([^=&]*(?:token|sig|key|password|secret)[^=&]*=)[^&]*", re.IGNORECASE)
SECRET_NAME = re.compile("password|secret|token|api_?key|access_?key", re.IGNORECASE)


def require_plain(what: str, address: str) -> None:
    """Refuse an address that holds a password or a token; the words do not repeat it.

    >>> require_plain("sources", "s3://me:hush@lab/raw")
    Traceback (most recent call last):
    ...
    ValueError: sources must hold no password or token, got one in s3://***@lab/raw; give it by the environment
    """
    shown = TOKEN.sub(r"\1***", PASSWORD.sub("***", address))
    if shown != address:
        raise ValueError(f"{what} must hold no password or token, got one in {shown}; give it by the environment")


def require_no_secrets(what: str, options: Mapping[str, Any]) -> None:
    """Refuse options that bear a secret's name, wherever they stand below, and addresses that hold one."""
    for name, value in options.items():
        if SECRET_NAME.search(str(name)) and value is not None:
            raise ValueError(f"{what} must hold no password or token, got {name}; give it by the environment")
        if isinstance(value, Mapping):
            require_no_secrets(what, value)
        elif isinstance(value, str):
            require_plain(what, value)


CLOSED = ConfigDict(extra="forbid", allow_inf_nan=False)


Device = Literal["auto", "cpu", "cuda"]


Dimensions = Literal[2, 3]


def require(holds: bool, text: str) -> None:
    """Refuse a setting: ValueError with this text where it does not hold."""
    if not holds:
        raise ValueError(text)


def require_model_name(name: str, setting: str) -> None:
    """Refuse a name of a model that is not one plain word; it becomes a folder."""
    plain_word = name.replace("-", "").replace("_", "").isalnum()
    require(
        plain_word and name.lower() != "truth",  # it becomes a folder beside `labels/truth`
        f"{setting} must be letters, digits, - and _ and not 'truth', got {name!r}",
    )


def one_of(text: str) -> WrapValidator:
    """A validator for a value of several forms; it says in our own words which forms there are."""

    def check(value: Any, forms: ValidatorFunctionWrapHandler) -> Any:
        try:
            return forms(value)
        except ValidationError as error:
            ours = [fault["msg"] for fault in error.errors() if fault["type"] == "value_error"]
            raise ValueError(ours[0].removeprefix(OURS) if ours else f"must be {text}, got {value!r}") from error

    return WrapValidator(check)


OURS = "Value error, "
"""What pydantic puts before our own words."""


def first_fault(error: ValidationError, record: type[BaseModel]) -> str:
    """The first fault that pydantic found in a record: what must hold, and what was got or is near.

    Settings that were renamed are told first, and all at once.
    """
    unknown = ("extra_forbidden", "unexpected_keyword_argument")
    named = [".".join(map(str, each["loc"])) for each in error.errors() if each["type"] in unknown]
    renamed = [f"{name} is called {now} now" for name in named if (now := new_name(name))]
    if renamed:
        return "; ".join(renamed)
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
