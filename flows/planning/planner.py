"""How a plan is made: which stages of which stacks are looked at, each by the rule of its stage.

A planner looks at all stacks; or, where it knows what an earlier one found, at those that a run touched since and those
that were not settled (something of them was to be made, or could not be). What was found of others is carried over,
unless the model has changed that all scores are made with:

    ingest a ── weigh a ──┐
    ingest b ── weigh b ──┴─ train ──┬─ predict a ── segment a ──┐
    ingest c ────────────────────────┼─ predict b ── segment b ──┴─ evaluate
                                     └─ predict c ── segment c
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from flows.planning.general_notes import general_notes
from flows.planning.stage_rules import StageRules
from flows.planning.status import PENDING, STACK_STAGES, Findings, Key, StageStatus
from unet.ledger.outcome import STAGES
from unet.ledger.results import image_of


@dataclass
class Planner:
    """One look at a dataset."""

    rules: StageRules
    before: Findings = field(default_factory=Findings)
    """What was found earlier, of the same stacks and by the same record; nothing at a first look."""
    touched: Collection[Key] = ()
    """What a run may have changed since then."""

    @property
    def found(self) -> Findings:
        """What is found by this look."""
        return self.rules.found

    def findings(self) -> Findings:
        """State of every stage of every stack."""
        names, rules, record = self._names(), self.rules, self.rules.record
        again = {name for name in names if not self._is_as_before(name)}
        for name in names:
            self._find_status(rules.ingest, "ingest", name, name in again)
        marked = [name for name in names if self._has_truth(name, name in again)]
        for name in marked:
            self._find_status(rules.weigh, "weigh", name, name in again)
        of_training = {*marked, *(name for stage, name in self.before.statuses if stage == "weigh")}
        self._find_model_status(lambda _: rules.train(marked), "train", record.train.name, again & of_training)
        is_changed = self._is_model_changed()
        if is_changed:
            again = set(names)
        for name in names:
            self._find_status(rules.predict, "predict", name, name in again)
            self._find_status(rules.segment, "segment", name, name in again)
        rules.remark_on_numbers()
        rules.look_for_drift(again, Findings() if is_changed else self.before)
        of_report = {*self.found.reported_stacks(), *self.before.reported_stacks()}
        self._find_model_status(rules.evaluate, "evaluate", record.model, again & of_report)
        self.found.general.extend(general_notes(rules.dataset, record, self.found, marked))
        return self.found

    def _names(self) -> list[str]:
        if self.before.statuses:
            return sorted(name for stage, name in self.before.statuses if stage == "ingest")
        images = {name: image_of(self.rules.dataset, name) for name in self.rules.dataset.stacks()}
        ingested = (name for name, image in images.items() if image.known_stamp() or image.is_metadata_lost())
        return sorted({*self.rules.stacks, *ingested})

    def _is_as_before(self, name: str) -> bool:
        """Whether what was found of a stack still holds, as far as it depends on no other stack."""
        is_forced = self.rules.force in STACK_STAGES
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
        is_ours = stage != "train" or model == self.rules.record.model  # else only a run of train alone looks at it
        holds = is_ours and self.before.state(stage, model) == "fresh" and self.rules.force != stage
        self._find_status(look, stage, model, bool(of) or not holds or (stage, model) in self.touched)

    def _is_model_changed(self) -> bool:
        """Whether scores may be in another state than before: of another model, or one that is to be made."""
        state, before = (found.state("train", self.rules.record.train.name) for found in (self.found, self.before))
        touched = any(
            ("train", model) in self.touched for model in (self.rules.record.train.name, self.rules.record.model)
        )
        return touched or state in PENDING or state != before

    def _has_truth(self, name: str, again: bool) -> bool:
        return self.rules.has_truth(name) if again else ("weigh", name) in self.before.statuses
