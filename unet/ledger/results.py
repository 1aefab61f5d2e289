"""The ledger is the store itself: what a result was made of is written into the result, last.

A result is a folder with a metadata file (`zarr.json`, `model.json`, `metrics.json`) and its arrays or files below a
*generation*, a folder named after the digest of stage version, settings, inputs and numeric plan; levels of a pyramid
lie beside it, under its name. While a generation is in the making its own metadata file says what it is made of;
putting the result's is the one act that commits it. Until then readers see the generation before; afterwards that one
is removed. Kill any process at any moment and run again: what is found of a generation of the same recipe is taken on,
with the plan it was begun with.

Rejected: a database of runs (it can disagree with the files), and time stamps (they change when files are copied).
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from unet.dataset.folder import Dataset, Folder, Json
from unet.ledger.metadata_types import SCHEMAS, Entry, Facts, require_types
from unet.ledger.stamp import Recipe, Stamp, digest

KEY = "unet-flows"


@dataclass(frozen=True)
class Generation:
    """A generation in the making: its folder, and the plan that every worker and every resumption uses."""

    folder: Folder
    recipe: Recipe
    plan: Json

    @property
    def name(self) -> str:
        """Digest that names it."""
        return self.folder.name

    def level(self, number: int) -> Folder:
        """Folder of a level of its pyramid: beside its own, as validators look for no level of labels further below."""
        return Folder(f"{self.folder.url}.{number}")


@dataclass(frozen=True)
class Result:
    """A place that holds one committed result, and generations in the making."""

    folder: Folder
    metadata_file: str = "zarr.json"

    def stamp(self) -> Stamp | None:
        """The committed result's stamp; None where there is none."""
        return self.folder.once("stamp", self._read_stamp)

    def _read_stamp(self) -> Stamp | None:
        values = self._entry(self.folder)
        if "generation" not in values:
            return None
        file = (self.folder / self.metadata_file).url
        try:
            return replace(Stamp.of(values), facts=Facts(values.get("facts", {}), file))
        except ValueError as error:
            raise ValueError(f"{file} is damaged: {error}; remove it and run again") from error

    def committed(self) -> Stamp:
        """The committed result's stamp; LookupError that says what to run where there is none."""
        stamp = self.stamp()
        if stamp is None:
            raise LookupError(f"{self.folder.url} holds no finished result; run `unet-flows reprocess` on its dataset")
        return stamp

    def attributes(self) -> Json:
        """All that stands in the committed metadata file."""
        return self._open(self.folder)

    def begin(self, recipe: Recipe, plan: Json) -> Generation:
        """The generation to write into: an unfinished one of this recipe, with its plan, or a new one."""
        committed = self.stamp()
        for name in self._generations():
            entry = self._entry(self.folder / name)
            if recipe.is_of(entry.get("recipe")) and not (committed and committed.generation == name):
                return Generation(self.folder / name, recipe, entry["plan"])
        if committed is not None and committed.recipe == recipe:
            plan = {**plan, "attempt": committed.plan.get("attempt", 1) + 1}
        folder = self.folder / digest([asdict(recipe), plan])
        self._put(folder, {KEY: {"recipe": asdict(recipe), "plan": plan}})
        return Generation(folder, recipe, plan)

    def commit(self, generation: Generation, attributes: Mapping[str, Any], facts: Json | None = None) -> Stamp:
        """Put the metadata file: from now on this generation is the result; the others are removed."""
        stamp = Stamp(generation.recipe, generation.plan, generation.name, facts or {})
        self._put(self.folder, {**attributes, KEY: asdict(stamp)})
        for name in self._generations():
            if name != generation.name:
                self.discard(name)
        return stamp

    def discard(self, name: str) -> None:
        """Remove a generation, its metadata file last, so that an interrupted removal is recognised."""
        *levels, generation = self.parts(name)
        for level in levels:
            level.remove()
        for part in generation.names():
            if part != self.metadata_file:
                (generation / part).remove()
        generation.remove()

    def parts(self, name: str) -> list[Folder]:
        """Folders that a generation lies in: the levels of its pyramid, and last its own."""
        levels = [part for part in self.folder.names() if part.startswith(f"{name}.")]
        return [self.folder / part for part in (*levels, name)]

    def amend(self, facts: Json, recipe: Recipe | None = None, more: Mapping[str, Any] | None = None) -> None:
        """Put the metadata file again with more facts on its stamp and `more` beside it, or as of another recipe."""
        attributes = {**self.attributes(), **(more or {})}
        stamp = {**attributes[KEY], "facts": {**attributes[KEY]["facts"], **facts}}
        attributes[KEY] = stamp if recipe is None else {**stamp, "recipe": asdict(recipe)}
        self._put(self.folder, attributes)

    def _generations(self) -> list[str]:
        names = [name for name in self.folder.names() if "." not in name]  # levels and files are none
        entries = {name: self._entry(self.folder / name) for name in names}
        return [name for name, entry in entries.items() if "plan" in entry and "generation" not in entry]

    def _entry(self, folder: Folder) -> Json:
        entry: Json = self._open(folder).get(KEY, {})
        require_types(entry, Entry, (folder / self.metadata_file).url)
        return entry

    def _open(self, folder: Folder) -> Json:
        file = folder / self.metadata_file
        values = file.read_json() or {}
        if self.metadata_file == "zarr.json":
            values = values.get("attributes") or {}
        require_types(values, SCHEMAS[self.metadata_file], file.url)
        return values

    def _put(self, folder: Folder, attributes: Json) -> None:
        group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        (folder / self.metadata_file).write_json(group if self.metadata_file == "zarr.json" else attributes)


def image_of(dataset: Dataset, name: str) -> Result:
    """A stack's image."""
    return Result(dataset.image(name))


def labels_of(dataset: Dataset, name: str, labels: str) -> Result:
    """A stack's truth, or the segments that a model made of it."""
    return Result(dataset.labels(name, labels))


def weights_of(dataset: Dataset, name: str) -> Result:
    """A stack's classes and border weights."""
    return Result(dataset.weights(name))


def model_of(dataset: Dataset, model: str) -> Result:
    """A trained or imported model."""
    return Result(dataset.model(model), "model.json")


def learnt_classes(metadata: Json) -> int:
    """Number of classes that a model has learnt, background among them; a model brought in is taken at its word.

    >>> learnt_classes({"classes": ["background", "object"], "architecture": {"classes": 4}})
    2
    """
    named: list[str] = metadata.get("classes") or []
    return len(named) or int(metadata.get("architecture", {}).get("classes", 2))


def scores_of(dataset: Dataset, model: str, name: str) -> Result:
    """The scores that a model gave a stack."""
    return Result(dataset.scores(model, name))


def report_of(dataset: Dataset, model: str) -> Result:
    """A model's report."""
    return Result(dataset.report(model), "metrics.json")


def result_of(dataset: Dataset, stage: str, name: str, model: str) -> Result:
    """The result that a stage makes of a stack with this model; for train, `name` is that of the model it makes."""
    makers: dict[str, Callable[[], Result]] = {
        "ingest": lambda: image_of(dataset, name),
        "weigh": lambda: weights_of(dataset, name),
        "train": lambda: model_of(dataset, name),
        "predict": lambda: scores_of(dataset, model, name),
        "segment": lambda: labels_of(dataset, name, model),
        "evaluate": lambda: report_of(dataset, model),
    }
    return makers[stage]()
