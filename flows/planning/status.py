"""What a plan is made of: for each stack and stage, whether its result is fresh, and if not, why."""

from dataclasses import dataclass, field
from typing import Literal

from unet.dataset.folder import Folder
from unet.evaluation.drift import DriftRow, TrainingRange
from unet.ledger.outcome import STAGES
from unet.ledger.truth_findings import TruthCheck

Key = tuple[str, str]
"""A stage, and the name of a stack; of the model, for train and evaluate."""
MODEL_STAGES = ("train", "evaluate")
"""Stages that make something of the model as a whole."""
STACK_STAGES = tuple(stage for stage in STAGES if stage not in MODEL_STAGES)
"""Stages that make something of each stack; weigh of those with truth."""
PENDING = ("stale", "missing")
"""States of what is to be made."""


@dataclass(frozen=True)
class StageStatus:
    """State of one stage of one stack (of the model, for train and evaluate) before it is run."""

    stage: str
    name: str
    state: Literal["fresh", "stale", "missing", "set aside"]
    why: str = ""


@dataclass(frozen=True)
class Findings:
    """What a look at a dataset finds: the state of every stage of every stack, and what a person should know."""

    statuses: dict[Key, StageStatus] = field(default_factory=dict)
    remarks: dict[Key, str] = field(default_factory=dict)
    """What a person should know of one stage of one stack."""
    truth: dict[str, TruthCheck] = field(default_factory=dict)
    """What weigh found odd about the truth of each stack, as it lies there now."""
    file_notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What the file of a stack says and was not believed."""
    general: list[str] = field(default_factory=list)
    """What a person should know of the dataset as a whole."""
    drift: list[DriftRow] = field(default_factory=list)
    """In what stacks are unlike those that the model was trained on."""
    ranges: dict[str, TrainingRange] = field(default_factory=dict)
    """What those have of each number."""
    leftovers: dict[Key, tuple[Folder, ...]] = field(default_factory=dict, compare=False)
    """What killed runs left beside results that are fresh."""
    blocked: set[Key] = field(default_factory=set)
    """What cannot be made in this run: what it is made of is missing, and the stage of that is not run any more."""

    def state(self, stage: str, name: str) -> str:
        """State of one stage of one stack; "" where it is not in the plan."""
        status = self.statuses.get((stage, name))
        return status.state if status else ""

    def is_settled(self, name: str) -> bool:
        """Whether a stack went the whole road, and nothing of it is to be made."""
        states = {stage: self.state(stage, name) for stage in STACK_STAGES}
        return all(state == "fresh" or (stage == "weigh" and not state) for stage, state in states.items())

    def evaluated_stacks(self) -> list[str]:
        """Stacks that a report compares, sorted: those with truth and segments."""
        return sorted(name for name in self._segmented_stacks() if ("weigh", name) in self.statuses)

    def reported_stacks(self) -> list[str]:
        """Stacks that a report is made over, sorted: those with truth and segments; of no truth, all segmented.

        So a dataset without truth has a report, too, of what was found; it grows with each stack that comes.
        """
        return self.evaluated_stacks() or self._segmented_stacks()

    def _segmented_stacks(self) -> list[str]:
        return sorted(n for (stage, n), of in self.statuses.items() if stage == "segment" and of.state != "set aside")
