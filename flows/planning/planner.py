"""The rules by which a plan is made, stage by stage: what each result would be made of now, compared with its stamp.

A planner looks at all stacks; or, where it knows what an earlier one found, at those that a run touched since and those
that were not settled (something of them was to be made, or could not be). What was found of others is carried over,
unless the model has changed that all scores are made with:

    ingest a ── weigh a ──┐
    ingest b ── weigh b ──┴─ train ──┬─ predict a ── segment a ──┐
    ingest c ────────────────────────┼─ predict b ── segment b ──┴─ evaluate
                                     └─ predict c ── segment c
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from flows.planning.general_notes import general_notes
from flows.planning.status import PENDING, STACK_STAGES, Findings, Key, StageStatus
from flows.planning.training_set import has_checkpoint, training_set, usable_truth
from unet.dataset.folder import Dataset
from unet.ledger import recipes
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
class Planner:
    """One look at a dataset."""

    dataset: Dataset
    record: Record
    stacks: Mapping[str, Stack]
    force: str | None = None
    """A stage whose results are to be made again though they are fresh."""
    trust: Collection[str] = ()
    """Stages that are not run any more: what they made is taken as it is, and of what is missing nothing is made."""
    before: Findings = field(default_factory=Findings)
    """What was found earlier, of the same stacks and by the same record; nothing at a first look."""
    touched: Collection[Key] = ()
    """What a run may have changed since then."""
    found: Findings = field(default_factory=Findings)

    def findings(self) -> Findings:
        """State of every stage of every stack."""
        names = self._names()
        again = {name for name in names if not self._is_as_before(name)}
        for name in names:
            self._find_status(self._ingest_status, "ingest", name, name in again)
        marked = [name for name in names if self._has_truth(name, name in again)]
        for name in marked:
            self._find_status(self._weigh_status, "weigh", name, name in again)
        of_training = {*marked, *(name for stage, name in self.before.statuses if stage == "weigh")}
        self._find_model_status(
            lambda _: self._train_status(marked), "train", self.record.train.name, again & of_training
        )
        if self._is_model_changed():
            again = set(names)
        for name in names:
            self._find_status(self._predict_status, "predict", name, name in again)
            self._find_status(self._segment_status, "segment", name, name in again)
        self._remark_on_numbers()
        of_report = {*self.found.evaluated_stacks(), *self.before.evaluated_stacks()}
        self._find_model_status(self._evaluate_status, "evaluate", self.record.model, again & of_report)
        self.found.general.extend(general_notes(self.dataset, self.record, self.found, marked))
        return self.found

    def _names(self) -> list[str]:
        if self.before.statuses:
            return sorted(name for stage, name in self.before.statuses if stage == "ingest")
        images = {name: image_of(self.dataset, name) for name in self.dataset.stacks()}
        ingested = (name for name, image in images.items() if image.known_stamp() or image.is_metadata_lost())
        return sorted({*self.stacks, *ingested})

    def _is_as_before(self, name: str) -> bool:
        """Whether what was found of a stack still holds, as far as it depends on no other stack."""
        is_forced = self.force in STACK_STAGES
        is_touched = any((stage, name) in self.touched for stage in STAGES)
        return self.before.is_settled(name) and not is_touched and not is_forced

    def _find_status(self, look: Callable[[str], StageStatus | None], stage: str, name: str, again: bool) -> None:
        """Look at one stage of one stack again, or carry over what was found of it."""
        key, found, before = (stage, name), self.found, self.before
        status = self._looked(look, stage, name) if again else before.statuses.get(key)
        if status is not None:
            found.statuses[key] = status
        if not again and key in before.remarks:
            found.remarks[key] = before.remarks[key]
        if not again and stage == "weigh" and name in before.truth:
            found.truth[name] = before.truth[name]
        if not again and stage == "ingest" and name in before.file_notes:
            found.file_notes[name] = before.file_notes[name]

    def _looked(self, look: Callable[[str], StageStatus | None], stage: str, name: str) -> StageStatus | None:
        """State of one stage, as its stamps tell; where one of them is damaged, it is made again."""
        try:
            return look(name)
        except ValueError as error:
            return StageStatus(stage, name, "stale", str(error))

    def _find_model_status(
        self, look: Callable[[str], StageStatus | None], stage: str, model: str, of: Collection[str]
    ) -> None:
        """The same for a stage of the model, which is made `of` these stacks that were looked at again."""
        is_ours = stage != "train" or model == self.record.model  # else only a run of train alone looks at it
        holds = is_ours and self.before.state(stage, model) == "fresh" and self.force != stage
        self._find_status(look, stage, model, bool(of) or not holds or (stage, model) in self.touched)

    def _is_model_changed(self) -> bool:
        """Whether scores may be in another state than before: of another model, or one that is to be made."""
        state, before = (found.state("train", self.record.train.name) for found in (self.found, self.before))
        touched = any(("train", model) in self.touched for model in (self.record.train.name, self.record.model))
        return touched or state in PENDING or state != before

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

    def _pending_stages(self, name: str, *stages: str) -> list[str]:
        """Stages before that must run first: those with something to be made, of trusted ones those never made."""
        return [s for s in stages if self.found.state(s, name) in (("missing",) if s in self.trust else PENDING)]

    def _ingest_status(self, name: str) -> StageStatus | None:
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
        if stack.truth and not recipes.is_edited(self.dataset, name):
            results.append((truth, recipes.truth_recipe(self.dataset, stack)))
        elif stamp is not None and recipes.is_to_be_withdrawn(self.dataset, stack):
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

    def _has_truth(self, name: str, again: bool) -> bool:
        if not again:
            return ("weigh", name) in self.before.statuses
        if self.found.state("ingest", name) == "set aside":  # what was made of it before still holds
            return recipes.has_fitting_truth(self.dataset, name)
        return recipes.has_truth(self.dataset, name, self.stacks.get(name))

    def _weigh_status(self, name: str) -> StageStatus | None:
        recipe, result = recipes.weigh_recipe(self.dataset, name, self.record.weigh), weights_of(self.dataset, name)
        stamp = result.stamp()
        if stamp and "truth" in stamp.facts and stamp.recipe.inputs == recipe.inputs:
            self.found.truth[name] = TruthCheck.of(stamp.facts["truth"])
        return self._status_by_recipe(recipe, name, [(result, recipe)], self._pending_stages(name, "ingest"))

    def _train_status(self, marked: Collection[str]) -> StageStatus | None:
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
        recipe = self._readable(lambda: recipes.train_recipe(self.dataset, train, made_of))
        if recipe is None:
            return None
        after = {stage for name in made_of for stage in self._pending_stages(name, "ingest", "weigh")}
        status = self._status_by_recipe(recipe, train.name, [(model, recipe)], sorted(after, key=STAGES.index))
        away = [name for name in made_of if self._is_unreadable(name)]
        if away and status and status.state in PENDING and model.stamp() is not None and self.force != "train":
            said = f"{train.name} stays as it is, as it is made of what cannot be read now: {shortened(away)}"
            self.found.remarks["train", train.name] = said
            return StageStatus("train", train.name, "fresh", "")
        return status

    def _is_unreadable(self, name: str) -> bool:
        """Whether an image's pixels are lost, or away where it is linked, and no source can make it whole now."""
        return self.found.state("ingest", name) == "set aside" and bool(
            not image_of(self.dataset, name).known_stamp() or image_of(self.dataset, name).holes()
        )

    def _pending_training(self) -> list[str]:
        return (
            self._pending_stages(self.record.train.name, "train") if self.record.model == self.record.train.name else []
        )

    def _predict_status(self, name: str) -> StageStatus | None:
        model, after = self.record.model, self._pending_training()
        is_blocked = self._is_unreadable(name) or self.found.state("train", model) == "set aside"
        if is_blocked or not (after or model_of(self.dataset, model).stamp()):
            return None
        recipe = recipes.predict_recipe(self.dataset, model, name, self.record.predict)
        result = scores_of(self.dataset, model, name)
        stamp = result.stamp()
        if stamp and stamp.recipe == recipe and "grey_values" in stamp.facts:
            said = f"{name}: {stamp.facts['grey_values']}; look at what {model} found there"
            self.found.remarks["predict", name] = said
        after = [*self._pending_stages(name, "ingest"), *after]
        return self._status_by_recipe(recipe, name, [(result, recipe)], after)

    def _segment_status(self, name: str) -> StageStatus | None:
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

    def _remark_on_numbers(self) -> None:
        """Say so where settings of segment are `auto` and the model, such as an imported one, has none of its own."""
        model = self.record.model
        is_there = model_of(self.dataset, model).known_stamp() is not None and not self._pending_training()
        if is_there and (without := untuned(self.dataset, model, self.record.segment)):
            said = f"{model} has no settings of segment of its own: {without}; `unet-flows tune` finds them by truth"
            self.found.remarks["segment", model] = said

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

    def _evaluate_status(self, model: str) -> StageStatus | None:
        compared = self.found.evaluated_stacks()
        if not compared:
            return None
        recipe = self._readable(lambda: recipes.evaluate_recipe(self.dataset, model, compared, self.record.evaluate))
        if recipe is None:
            return None
        waiting = {s for name in compared for s in self._pending_stages(name, "ingest", "predict", "segment")}
        after = [*self._pending_training(), *sorted(waiting, key=STAGES.index)]
        return self._status_by_recipe(recipe, model, [(report_of(self.dataset, model), recipe)], after)


LOST_MODEL = "lost or damaged, and there is no checkpoint: put it back, import it again, or remove the folder to train"


def _lost(result: Result) -> list[str]:
    """What is to be said of lost and damaged files of a result; nothing where it is whole."""
    holes = [result.metadata_file] if result.is_metadata_lost() else result.holes()
    more = f" and {len(holes) - 1} more files" if len(holes) > 1 else ""
    return [f"{result.where(holes[0])}{more} missing or damaged"] if holes else []
