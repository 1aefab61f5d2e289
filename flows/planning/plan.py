"""The plan: for every stack and stage, whether its result is fresh, and if not, why. Frozen data, from stamps alone.

The law: a result is fresh exactly when its recipe (stage version, settings, inputs) is what it would be now and what it
is made of is fresh. Nothing heavy is imported; only files that are new or changed are opened, to count their scenes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from unet.dataset.folder import Dataset
from unet.dataset.snapshot import Snapshot
from unet.dataset.sources import Catalogue, Stack, find_stacks
from unet.ledger import recipes
from unet.ledger.outcome import STAGES, Outcome, why_set_aside
from unet.ledger.results import Result, image_of, labels_of, model_of, report_of, scores_of, weights_of
from unet.ledger.stamp import Recipe, Stamp
from unet.ledger.truth_findings import TruthCheck
from unet.settings.record import Record

Cells = dict[tuple[str, str], Outcome]
WAITING = ("stale", "missing")


@dataclass(frozen=True)
class Plan:
    """State of every stage of every stack (and of the model, for train and evaluate), and what a person should know."""

    cells: Cells
    stacks: Mapping[str, Stack]
    notes: tuple[str, ...] = ()
    truth: Mapping[str, TruthCheck] = field(default_factory=dict)
    """What weigh found odd about the truth of each stack, as it lies there now."""
    seen: Dataset = field(kw_only=True, repr=False, compare=False)
    """The dataset as the plan saw it, which whoever asks more of it need not look at again."""

    def works(self, stage: str | None = None, only: Iterable[str] | None = None) -> list[Outcome]:
        """What is to be done, in the order of the stages."""
        chosen = None if only is None else set(only)
        cells = [c for c in self.cells.values() if c.state in WAITING and stage in (None, c.stage)]
        return sorted(
            (c for c in cells if chosen is None or c.name in chosen or c.stage in ("train", "evaluate")),
            key=lambda cell: (STAGES.index(cell.stage), cell.name),
        )

    def set_aside(self) -> list[Outcome]:
        """What failed and will not be tried again until something changes."""
        return [cell for cell in self.cells.values() if cell.state == "set aside"]

    def names(self) -> list[str]:
        """Names of all stacks, sorted."""
        return sorted({name for stage, name in self.cells if stage == "ingest"})


def make_plan(dataset: Dataset, record: Record, force: str | None = None, trust: bool = False) -> Plan:
    """The plan of a dataset as it lies there now.

    Args:
        dataset: the folder.
        record: its run record, with whatever was set for this run.
        force: a stage whose results are to be made again though they are fresh.
        trust: take what is committed upstream as it is, for a run of one stage alone.

    Raises:
        LookupError, ValueError: the sources are not there, or two stacks would bear one name.
    """
    seen = Snapshot(dataset.url)
    catalogue = find_catalogue(seen, record)
    planner = _Planner(seen, record, {stack.name: stack for stack in catalogue.stacks}, force, trust)
    planner.plan()
    notes = [*planner.notes, *(f"{file} belongs to no stack: no image bears its name" for file in catalogue.unmatched)]
    return Plan(planner.cells, planner.stacks, tuple(notes), planner.truth, seen=seen)


def find_catalogue(dataset: Dataset, record: Record) -> Catalogue:
    """Stacks in the sources; files that were ingested before are not opened again."""
    scenes: dict[str, int] = {}
    for name in dataset.stacks():
        stamp = image_of(dataset, name).stamp()
        if stamp and "scenes" in stamp.facts:
            scenes |= dict.fromkeys(_unchanged(dataset, name, stamp), int(stamp.facts["scenes"]))

    def count(file: str) -> int:
        if file in scenes:
            return scenes[file]
        from unet.formats.readers import count_scenes

        return count_scenes(file)

    found = find_stacks(record.sources, Path(dataset.url) if dataset.is_local else Path.cwd(), count)
    return Catalogue(tuple(stack for stack in found.stacks if stack.name not in record.exclude), found.unmatched)


def _unchanged(dataset: Dataset, name: str, stamp: Stamp) -> tuple[str, ...]:
    """Source files of an image, while they are there and hold what they held."""
    files = tuple(stamp.facts["source"])
    try:
        now = recipes.source_fingerprint(image_of(dataset, name), files)
    except FileNotFoundError:
        return ()
    return files if now.content == stamp.facts["files"]["content"] else ()


@dataclass
class _Planner:
    dataset: Dataset
    record: Record
    stacks: Mapping[str, Stack]
    force: str | None
    trust: bool
    cells: Cells = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    truth: dict[str, TruthCheck] = field(default_factory=dict)

    def plan(self) -> None:
        names = sorted({*self.stacks, *(n for n in self.dataset.stacks() if image_of(self.dataset, n).stamp())})
        for name in names:
            self._put(self._ingest(name))
        for name in filter(self._has_truth, names):
            self._put(self._weigh(name))
        self._plan_train([name for name in names if self._has_truth(name)])
        for name in names:
            self._put(self._predict(name))
            self._put(self._segment(name))
        self._plan_evaluate()

    def _put(self, cell: Outcome | None) -> None:
        if cell is not None:
            self.cells[cell.stage, cell.name] = cell

    def _state(self, stage: str, name: str) -> str:
        cell = self.cells.get((stage, name))
        return cell.state if cell else ""

    def _compare(
        self, recipe: Recipe, name: str, stamps: Iterable[tuple[Stamp | None, Recipe]], after: Iterable[str] = ()
    ) -> Outcome | None:
        """State of what is made at a stage; None where a run of this stage alone has nothing to make it from.

        Args:
            recipe: what it would be set aside under.
            name: of the stack or model.
            stamps: what is there of it, each with its recipe of now.
            after: stages that must run first.
        """
        stage, pairs, waits = recipe.stage, list(stamps), [f"after {before}" for before in after]
        if self.trust and waits:
            return None
        whys = [why for stamp, now in pairs if stamp for why in stamp.recipe.changes(now)]
        if self.force == stage:
            return Outcome(stage, name, "stale", "forced")
        why = why_set_aside(self.dataset, recipe, name)
        if why is not None:
            return Outcome(stage, name, "set aside", why)
        if any(stamp is None for stamp, _ in pairs):
            return Outcome(stage, name, "missing", "")
        return Outcome(stage, name, "stale" if whys or waits else "fresh", "; ".join(whys or waits))

    def _ingest(self, name: str) -> Outcome | None:
        if name not in self.stacks:
            self.notes.append(f"{name}: its source is gone; its image is kept (`unet-flows remove` forgets it)")
            return Outcome("ingest", name, "fresh", "its source is gone")
        stack = self.stacks[name]
        recipe = recipes.image_recipe(self.dataset, stack, self.record.ingest)
        stamps = [(image_of(self.dataset, name).stamp(), recipe)]
        if stack.truth and not recipes.is_edited(self.dataset, name):
            stamps.append((labels_of(self.dataset, name, "truth").stamp(), recipes.truth_recipe(self.dataset, stack)))
        return self._compare(recipes.ingest_recipe(self.dataset, stack, self.record.ingest), name, stamps)

    def _has_truth(self, name: str) -> bool:
        if self._state("ingest", name) == "set aside":
            return False
        given = name in self.stacks and bool(self.stacks[name].truth)
        return given or recipes.truth_content(self.dataset, name) is not None

    def _weigh(self, name: str) -> Outcome | None:
        recipe = recipes.weigh_recipe(self.dataset, name, self.record.weigh)
        stamp = weights_of(self.dataset, name).stamp()
        if stamp and "truth" in stamp.facts and stamp.recipe.inputs == recipe.inputs:
            self.truth[name] = TruthCheck.of(stamp.facts["truth"])
        return self._compare(recipe, name, [(stamp, recipe)], self._waiting(name, "ingest"))

    def _waiting(self, name: str, *stages: str) -> list[str]:
        """Stages before that must run first: those not fresh, or, in a run of one stage alone, those never run."""
        states = ("missing",) if self.trust else WAITING
        return [stage for stage in stages if self._state(stage, name) in states]

    def _plan_train(self, names: list[str]) -> None:
        train, model = self.record.train, model_of(self.dataset, self.record.train.name)
        usable = [name for name in names if self._state("weigh", name) != "set aside"]
        other = self.record.model != train.name and not self.trust  # who asks for this stage alone means it
        if not usable or other or model.attributes().get("came_from"):
            return
        made_of = members(model, usable)
        new = len(set(usable) - set(made_of))
        if new:
            self.notes.append(f"{new} new truths not in {train.name}; `unet-flows train --refresh` takes them in")
        recipe = recipes.train_recipe(self.dataset, train, made_of)
        after = sorted(
            {stage for name in made_of for stage in self._waiting(name, "ingest", "weigh")}, key=STAGES.index
        )
        self._put(self._compare(recipe, train.name, [(model.stamp(), recipe)], after))

    def _model_exists(self) -> bool:
        return model_of(self.dataset, self.record.model).stamp() is not None

    def _after_train(self) -> list[str]:
        return self._waiting(self.record.train.name, "train") if self.record.model == self.record.train.name else []

    def _predict(self, name: str) -> Outcome | None:
        blocked = self._state("ingest", name) == "set aside" or self._state("train", self.record.model) == "set aside"
        if blocked or not (self._model_exists() or self._after_train()):
            return None
        model = self.record.model
        recipe = recipes.predict_recipe(self.dataset, model, name, self.record.predict)
        stamps = [(scores_of(self.dataset, model, name).stamp(), recipe)]
        return self._compare(recipe, name, stamps, [*self._waiting(name, "ingest"), *self._after_train()])

    def _segment(self, name: str) -> Outcome | None:
        if self._state("predict", name) in ("", "set aside"):
            return None
        model = self.record.model
        recipe = recipes.segment_recipe(self.dataset, model, name, self.record.segment)
        stamp = labels_of(self.dataset, name, model).stamp()
        made = stamp if self.dataset.table(model, name).exists() else None
        cell = self._compare(recipe, name, [(made, recipe)], self._waiting(name, "ingest", "predict"))
        if cell is not None and cell.state == "fresh" and self._scores_to_drop(name):
            return Outcome("segment", name, "stale", "its scores are to be dropped")
        if cell is None or cell.state not in WAITING or not self._scores_dropped(name):
            return cell
        if self.trust:
            self.notes.append(f"{name}: its scores were dropped; `unet-flows reprocess` makes them again")
            return None
        if self._state("predict", name) == "fresh":
            self._put(Outcome("predict", name, "stale", "its scores were dropped"))
        return cell

    def _scores_dropped(self, name: str) -> bool:
        scores = scores_of(self.dataset, self.record.model, name).stamp()
        return scores is not None and bool(scores.facts.get("dropped"))

    def _scores_to_drop(self, name: str) -> bool:
        kept = scores_of(self.dataset, self.record.model, name).stamp() is not None and not self._scores_dropped(name)
        return kept and not self.record.predict.keep_scores

    def _plan_evaluate(self) -> None:
        model = self.record.model
        compared = evaluated(self.cells)
        if not compared:
            return
        result = report_of(self.dataset, model)
        recipe = recipes.evaluate_recipe(self.dataset, model, compared, self.record.evaluate)
        stages = ("ingest", "predict", "segment")
        after = sorted({s for name in compared for s in self._waiting(name, *stages)}, key=STAGES.index)
        self._put(self._compare(recipe, model, [(result.stamp(), recipe)], [*self._after_train(), *after]))


def require_cells(plan: Plan, stage: str | None) -> None:
    """Refuse a run of one stage alone that has nothing to work from."""
    if stage is not None and not any(of == stage for of, _ in plan.cells):
        raise LookupError(f"{stage} must find what the stages before it make, got nothing; run `unet-flows reprocess`")


def require_known(plan: Plan, only: Iterable[str]) -> None:
    """Refuse names that are no stacks of the dataset."""
    unknown = sorted(set(only) - set(plan.names()))
    if unknown:
        known = ", ".join(plan.names()[:8]) or "none"
        raise LookupError(f"a name must be that of a stack of the dataset, got {unknown[0]!r}; known: {known}")


def evaluated(cells: Cells) -> list[str]:
    """Stacks that a report is made over: those with truth and segments."""
    segmented = (n for (stage, n), cell in cells.items() if stage == "segment" and cell.state != "set aside")
    return sorted(name for name in segmented if ("weigh", name) in cells)


def trained_on(plan: Plan, dataset: Dataset, record: Record, refresh: bool = False) -> list[str]:
    """Stacks that a model is made of; `refresh` takes in all that have truth now."""
    weighed = [name for stage, name in plan.cells if stage == "weigh" and plan.cells[stage, name].state == "fresh"]
    return weighed if refresh else members(model_of(dataset, record.train.name), weighed)


def members(model: Result, usable: list[str]) -> list[str]:
    """The stacks a model is made of: those of its split, of which none was forgotten; at first all with truth."""
    split = model.attributes().get("split", [])
    return sorted({part["stack"] for part in split} & set(usable)) or usable
