"""The run record: what a person may set, in one closed tree of frozen dataclasses.

Each section is the settings of one pure function and is named after it. `VERSION` is that function's version: it stands
here rather than in the function's module so that the planner reads it without importing numpy or torch. Bump it when
the output of the function changes for the same input; a golden test fails otherwise.

Rejected: pydantic models all the way down (the pure functions would then drag pydantic into every worker), and one
flat record (a setting would no longer live with the function that reads it).
"""

from functools import cache
from importlib.resources import files
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    TypeAdapter,
    ValidationError,
    field_validator,
)
from ruamel.yaml import YAML

from unet.settings.classes import OBJECT, check_names, joined_names
from unet.settings.cluster import Cluster, Where
from unet.settings.evaluate import Evaluate
from unet.settings.ingest import Ingest, Source, Watch
from unet.settings.predict import Predict
from unet.settings.segment import Segment
from unet.settings.train import Train
from unet.settings.validation import first_fault, require_no_secrets
from unet.settings.weigh import Weigh


class Record(BaseModel):
    """`dataset.yaml`: the sources of a dataset, stacks of them that are not taken, and each stage's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)  # it may hold a secret

    sources: tuple[Source, ...] = ()
    """Where the microscope's files are, and people's labels."""
    exclude: tuple[str, ...] = ()
    """Names of stacks in the sources that are not taken."""
    ingest: Ingest = Ingest()
    weigh: Weigh = Weigh()
    train: Train = Train()
    predict: Predict = Predict()
    segment: Segment = Segment()
    evaluate: Evaluate = Evaluate()
    watch: Watch = Watch()
    cluster: Where = None
    """Who computes: a name in clusters.yaml, a scheduler's address or {cls: …, options: {…}}; default: this process."""

    @field_validator("cluster")
    @classmethod
    def _holds_no_secret(cls, cluster: str | Cluster | None) -> str | Cluster | None:
        if isinstance(cluster, str):
            require_no_secrets("it", {"address": cluster})
        return cluster

    @property
    def model(self) -> str:
        """Name of the model that predicts."""
        return self.predict.model or self.train.name

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes of objects in truth: the first is class 1; `object` where none is named."""
        return joined_names(source.class_names or (OBJECT,) for source in self.sources if source.has_truth)

    @classmethod
    def read(cls, values: dict[str, Any], name: str = "dataset.yaml") -> Self:
        """Record of plain values; every wrong one is named with its path, as the person wrote it.

        >>> Record.read({"wiegh": {"sigma": 4}})
        Traceback (most recent call last):
        ...
        ValueError: dataset.yaml: wiegh is no setting; did you mean weigh?
        """
        try:
            record = cls.model_validate(_filled(values))
        except ValidationError as error:
            raise ValueError(f"{name}: {first_fault(error, cls)}") from error
        record._require_weights_of_classes(name)
        return record

    def _require_weights_of_classes(self, name: str) -> None:
        """Refuse class weights of other classes than truth has, and names that two sources write in two ways."""
        try:
            check_names(self.classes)
        except ValueError as error:
            raise ValueError(f"{name}: sources: {error}") from error
        try:
            self.weigh.weights_of(self.classes)
        except ValueError as error:
            raise ValueError(f"{name}: weigh: {error}") from error


@cache
def presets() -> dict[str, dict[str, dict[str, Any]]]:
    """Settings of articles by section and name, as `unet/settings/presets.yaml` has them."""
    text = files("unet.settings").joinpath("presets.yaml").read_text("utf-8")
    found: dict[str, dict[str, dict[str, Any]]] = YAML(typ="safe", pure=True).load(text)
    return found


def plain(settings: Any) -> dict[str, Any]:
    """Plain values of a record's section, as YAML and JSON write them.

    >>> plain(Watch(quiet_seconds=5))
    {'quiet_seconds': 5.0, 'give_up_after_seconds': 3600.0}
    """
    kind: type = type(settings)
    values: dict[str, Any] = _adapter(kind).dump_python(settings, mode="json")
    return values


@cache
def _adapter(record: type) -> TypeAdapter[Any]:
    return TypeAdapter(record)


def _of_preset(section: str, values: dict[str, Any]) -> dict[str, Any]:
    """A section's values, the preset that it names filled in; an unknown preset is left for validation to refuse."""
    preset = values.get("preset")
    named = presets().get(section, {}).get(preset, {}) if isinstance(preset, str) else {}
    return _over(named, values)


def _over(below: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Two dictionaries merged; `values` wins, and dictionaries within them are merged key by key."""
    both = [key for key in values if isinstance(values[key], dict) and isinstance(below.get(key), dict)]
    return {**below, **values, **{key: below[key] | values[key] for key in both}}


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    """Sections with nothing below them left out, presets filled in, and `train.architecture` with our defaults."""
    values = {key: value for key, value in values.items() if value is not None or key not in Record.model_fields}
    values |= {key: _of_preset(key, value) for key, value in values.items() if isinstance(value, dict)}
    train = values.get("train")
    if not isinstance(train, dict) or not isinstance(train.get("architecture"), dict):
        return values
    return {**values, "train": _over({"architecture": plain(Train().architecture)}, train)}
