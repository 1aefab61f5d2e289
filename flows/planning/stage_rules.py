"""The rule of each stage: what its result would be made of now, compared with its stamp."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from flows.planning.status import PENDING, Findings, StageStatus
from flows.planning.training_set import has_checkpoint, training_set, usable_truth
from unet.dataset.folder import Dataset
from unet.evaluation.stamped_values import drift_rows, ranges_of, trained_stacks
from unet.ledger import recipes, truth_state
from unet.ledger.earlier_split import only_testing
from unet.ledger.found_settings import untuned
from unet.ledger.generations import Result
from unet.ledger.outcome import STAGES, last_failure
from unet.ledger.results import image_of, labels_of, model_of, report_of, scores_of, weights_of
from unet.ledger.stamp import Recipe
from unet.ledger.truth_findings import TruthCheck
from unet.settings.record import Record
from unet.sources.stack_names import shortened
from unet.sources.stacks import Stack


@dataclass
class StageRules:
    """Rules of the six stages; each puts what is to be said beside its status into what was found so far."""

    dataset: Dataset
    record: Record
    stacks: Mapping[str, Stack]
    force: str | None = None
    """A stage whose results are to be made again though they are fresh."""
    trust: Collection[str] = ()
    """Stages that are not run any more: what they made is taken as it is, and of what is missing nothing is made."""
    found: Findings = field(default_factory=Findings)

    def ingest(self, name: str) -> StageStatus | None:
        """State of a stack's image and truth."""
        of_image = image_of(self.dataset, name).known_stamp()
        of_truth = labels_of(self.dataset, name, "truth").known_stamp()
        notes = [note for stamp in (of_image, of_truth) if stamp is not None for note in stamp.facts.get("notes", ())]
        if notes:
            self.found.file_notes[name] = tuple(notes)
        if name not in self.stacks:
            why = "it is excluded" if name in self.record.exclude else "its source is gone"
            self.found.remarks["ingest", name] = f"{name}: {why}; its image is kept (`unet-flows remove` forgets it)"
            return self._status_without_source(name)
        stack, truth = self.stacks[name], labels_of(self.dataset, name, "truth")
        recipe = recipes.image_recipe(self.dataset, stack, self.record.ingest)
        results, stamp = [(image_of(self.dataset, name), recipe)], truth.stamp()
        if stack.truth and not truth_state.is_edited(self.dataset, name):
            results.append((truth, recipes.truth_recipe(self.dataset, stack)))
        elif stamp is not None and truth_state.is_to_be_withdrawn(self.dataset, stack):
            results.append((truth, recipes.withdrawn_recipe(stamp.recipe)))
        elif stamp is not None:
            kept = recipes.edited_recipe(self.dataset, stack, stamp.recipe)
            results += [(truth, kept)] if kept != stamp.recipe or truth.holes() else []
        return self._status_by_recipe(recipes.ingest_recipe(self.dataset, stack, self.record.ingest), name, results)

    def _status_without_source(self, name: str) -> StageStatus:
        """State of an image that nothing can be made of again: it stays, and says so where something of it is lost."""
        both = image_of(self.dataset, name), labels_of(self.dataset, name, "truth")
        lost = [why for result in both for why in _lost(result)]
        if lost:
            return StageStatus("ingest", name, "set aside", f"{'; '.join(lost)}, and its source is gone: put it back")
        return StageStatus("ingest", name, "fresh", "its source is gone")

    def has_truth(self, name: str) -> bool:
        """Whether there is truth of a stack that is weighed."""
        if self.found.state("ingest", name) == "set aside":  # what was made of it before still holds
            return truth_state.has_fitting_truth(self.dataset, name)
        return truth_state.has_truth(self.dataset, name, self.stacks.get(name))

    def weigh(self, name: str) -> StageStatus | None:
        """State of the weights of a stack with truth."""
        recipe = recipes.weigh_recipe(self.dataset, name, self.record.weigh, self.record.classes)
        result = weights_of(self.dataset, name)
        stamp = result.stamp()
        if stamp and "truth" in stamp.facts and stamp.recipe.inputs == recipe.inputs:
            self.found.truth[name] = TruthCheck.of(stamp.facts["truth"])
        return self._status_by_recipe(recipe, name, [(result, recipe)], self._pending_stages(name, "ingest"))

    def train(self, marked: Collection[str]) -> StageStatus | None:
        """State of the model that is trained on the stacks with truth."""
        for name in marked:
            self.found.remarks.pop(("weigh", name), None)  # what a look before this one said of it
        train, model = self.record.train, model_of(self.dataset, self.record.train.name)
        usable = usable_truth(self.dataset, self.found, marked)
        is_alone = len(self.trust) == len(STAGES)  # who asks for this stage alone means it
        is_other = self.record.model != train.name and not is_alone
        if not usable or is_other or model.known_attributes().get("came_from"):
            return None
        if model.is_metadata_lost() and not has_checkpoint(model):  # training would replace what was brought in
            return StageStatus("train", train.name, "set aside", f"{model.where('model.json')} is {LOST_MODEL}")
        made_of, odd = training_set(self.dataset, self.record, usable)
        self.found.remarks.update({("weigh", name): f"{name}: {why}" for name, why in odd.items()})
        new = len(set(usable) - set(made_of) - set(odd))
        if new:
            said = f"{new} new truths not in {train.name}; `unet-flows train --refresh` takes them in"
            self.found.remarks["train", train.name] = said
        recipe = self._readable(lambda: recipes.train_recipe(self.dataset, train, made_of, self.record.classes))
        if recipe is None:
            return None
        weighed = set(made_of) - only_testing(self.dataset, train, made_of)
        after = {stage for name in made_of for stage in self._pending_stages(name, "ingest")}
        after |= {stage for name in weighed for stage in self._pending_stages(name, "weigh")}
        status = self._status_by_recipe(recipe, train.name, [(model, recipe)], sorted(after, key=STAGES.index))
        return self._kept_while_away(status, made_of) if status else None

    def _kept_while_away(self, status: StageStatus, made_of: Collection[str]) -> StageStatus:
        """State of a model some of whose images cannot be read now: what is there stays, unless it is asked for."""
        away, model = [name for name in made_of if self._is_unreadable(name)], status.name
        is_kept = status.state in PENDING and self.force != "train"
        if not (away and is_kept and model_of(self.dataset, model).stamp() is not None):
            return status
        said = f"{model} stays as it is, as it is made of what cannot be read now: {shortened(away)}"
        self.found.remarks["train", model] = said
        return StageStatus("train", model, "fresh", "")

    def predict(self, name: str) -> StageStatus | None:
        """State of a stack's scores; None where there is no model, and none to be made."""
        model, after = self.record.model, self._pending_training()
        is_blocked = self._is_unreadable(name) or self.found.state("train", model) == "set aside"
        if is_blocked or not (after or model_of(self.dataset, model).stamp()):
            return None
        recipe = recipes.predict_recipe(self.dataset, model, name, self.record.predict)
        result = scores_of(self.dataset, model, name)
        after = [*self._pending_stages(name, "ingest"), *after]
        return self._status_by_recipe(recipe, name, [(result, recipe)], after)

    def segment(self, name: str) -> StageStatus | None:
        """State of a stack's segments; None where it has no scores, and is to have none."""
        if self.found.state("predict", name) in ("", "set aside"):
            return None
        model = self.record.model
        recipe = recipes.segment_recipe(self.dataset, model, name, self.record.segment)
        result, after = labels_of(self.dataset, name, model), self._pending_stages(name, "ingest", "predict")
        status = self._status_by_recipe(recipe, name, [(result, recipe)], after)
        scores = scores_of(self.dataset, model, name).stamp()
        is_dropped = scores is not None and bool(scores.facts.get("dropped"))
        if status is None or scores is None:
            return status
        if status.state == "fresh" and not is_dropped and not self.record.predict.keep_scores:
            return StageStatus("segment", name, "stale", "its scores are to be dropped")
        return self._status_without_scores(status) if is_dropped and status.state in PENDING else status

    def _status_without_scores(self, status: StageStatus) -> StageStatus | None:
        """State of segments that are to be made of scores that were dropped: those are made again first."""
        name = status.name
        if "predict" in self.trust:
            self.found.remarks["segment", name] = (
                f"{name}: its scores were dropped; `unet-flows reprocess` makes them again"
            )
            return None
        if self.found.state("predict", name) == "fresh":
            self.found.statuses["predict", name] = StageStatus("predict", name, "stale", "its scores were dropped")
        return status

    def evaluate(self, model: str) -> StageStatus | None:
        """State of the report of a model; None where no stack is segmented."""
        compared = self.found.reported_stacks()
        if not compared:
            return None
        recipe = self._readable(lambda: recipes.evaluate_recipe(self.dataset, model, compared, self.record.evaluate))
        if recipe is None:
            return None
        waiting = {s for name in compared for s in self._pending_stages(name, "ingest", "predict", "segment")}
        after = [*self._pending_training(), *sorted(waiting, key=STAGES.index)]
        return self._status_by_recipe(recipe, model, [(report_of(self.dataset, model), recipe)], after)

    def look_for_drift(self, again: Collection[str], before: Findings) -> None:
        """Find which stacks are unlike those that the model was trained on, by what is stamped of them.

        Args:
            again: stacks that are looked at again.
            before: what was found earlier; it holds for all others while the training stacks are not among these.
        """
        found, model, metadata = self.found, self.record.model, model_of(self.dataset, self.record.model)
        is_known = bool(before.ranges) and set(trained_stacks(metadata.known_attributes())).isdisjoint(again)
        names = [name for (stage, name), of in found.statuses.items() if stage == "ingest" and of.state == "fresh"]
        looked = [name for name in names if name in again] if is_known else names

        def is_segmented(name: str) -> bool:
            return found.state("segment", name) == "fresh"

        found.ranges.update(before.ranges if is_known else ranges_of(self.dataset, model, is_segmented))
        rows = [row for row in before.drift if row.stack not in again] if is_known else []
        rows += [r for r in drift_rows(self.dataset, model, looked, is_segmented, found.ranges) if r.is_drift]
        places = {name: number for number, name in enumerate(names)}
        found.drift.extend(sorted((r for r in rows if r.stack in places), key=lambda row: places[row.stack]))

    def remark_on_numbers(self) -> None:
        """Say so where settings of segment are `auto` and the model, such as an imported one, has none of its own."""
        model = self.record.model
        is_there = model_of(self.dataset, model).known_stamp() is not None and not self._pending_training()
        if is_there and (without := untuned(self.dataset, model, self.record.segment)):
            said = f"{model} has no settings of segment of its own: {without}; `unet-flows tune` finds them by truth"
            self.found.remarks["segment", model] = said

    def _is_unreadable(self, name: str) -> bool:
        """Whether an image's pixels are lost, or away where it is linked, and no source can make it whole now."""
        return self.found.state("ingest", name) == "set aside" and bool(
            not image_of(self.dataset, name).known_stamp() or image_of(self.dataset, name).holes()
        )

    def _pending_training(self) -> list[str]:
        return (
            self._pending_stages(self.record.train.name, "train") if self.record.model == self.record.train.name else []
        )

    def _pending_stages(self, name: str, *stages: str) -> list[str]:
        """Stages before that must run first: those with something to be made, of trusted ones those never made."""
        return [s for s in stages if self.found.state(s, name) in (("missing",) if s in self.trust else PENDING)]

    def _status_by_recipe(
        self, recipe: Recipe, name: str, results: Iterable[tuple[Result, Recipe]], after: Collection[str] = ()
    ) -> StageStatus | None:
        """State of what is made at a stage; None where it cannot be made.

        Args:
            recipe: what it would be set aside under.
            name: of the stack or model.
            results: what is made of it, each with its recipe of now.
            after: stages that must run first.
        """
        stage, pairs, waits = recipe.stage, list(results), [f"after {before}" for before in after]
        if not set(self.trust).isdisjoint(after):
            self.found.blocked.add((stage, name))
            return None
        stamps = [(result.stamp(), result, now) for result, now in pairs]
        whys = [why for stamp, result, now in stamps if stamp for why in [*stamp.recipe.changes(now), *_lost(result)]]
        if self.force == stage:
            return StageStatus(stage, name, "stale", "forced")
        failed = last_failure(self.dataset, recipe, name)
        if failed and not failed.passes:
            return StageStatus(stage, name, "set aside", failed.why)
        again = f"{failed.why}; it is tried again" if failed else ""
        if any(stamp is None for stamp, _, _ in stamps):
            return StageStatus(stage, name, "missing", again)
        whys += [again] if again else []
        if not (whys or waits):
            self.found.leftovers[stage, name] = tuple(left for result, _ in pairs for left in result.leftovers())
        return StageStatus(stage, name, "stale" if whys or waits else "fresh", "; ".join(whys or waits))

    def _readable(self, recipe: Callable[[], Recipe]) -> Recipe | None:
        """The recipe of what is made of many stacks; None where one of them is damaged, and not mended in this run.

        A run that is narrowed to other stacks must not fail of it: what was made of all before still holds.
        """
        try:
            return recipe()
        except ValueError:
            if not self.trust or len(self.trust) == len(STAGES):  # this run mends it; or was asked for this stage alone
                raise
            return None


LOST_MODEL = "lost or damaged, and there is no checkpoint: put it back, import it again, or remove the folder to train"


def _lost(result: Result) -> list[str]:
    """What is to be said of lost and damaged files of a result; nothing where it is whole."""
    holes = [result.metadata_file] if result.is_metadata_lost() else result.holes()
    more = f" and {len(holes) - 1} more files" if len(holes) > 1 else ""
    return [f"{result.where(holes[0])}{more} missing or damaged"] if holes else []
