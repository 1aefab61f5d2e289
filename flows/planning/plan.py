"""The plan: for every stack and stage, whether its result is fresh, and if not, why. Frozen data, from stamps alone.

The law: a result is fresh exactly when its recipe (stage version, settings, inputs) is what it would be now and what it
is made of is fresh. Nothing heavy is imported; only files that are new or changed are opened, to count their scenes.

The other law: a plan that looks again at what a run touched equals a new plan of the whole dataset. So a run makes one
whole plan, and a night with one new stack beside ten thousand looks at them once.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, product

from flows.planning.catalogue import find_catalogue
from flows.planning.planner import Planner
from flows.planning.stage_rules import StageRules
from flows.planning.status import MODEL_STAGES, PENDING, STACK_STAGES, Findings, Key, StageStatus
from unet.dataset.folder import DRAFT_OF_OURS, Dataset, Folder
from unet.dataset.lease import LEASE
from unet.dataset.snapshot import Snapshot
from unet.ledger.outcome import STAGES
from unet.ledger.results import result_of
from unet.settings.record import Record
from unet.sources.mirror import Mirrored
from unet.sources.stack_names import shortened
from unet.sources.stacks import Catalogue, Stack

SHOWN_FILES = 5
"""Files of truth without a stack that have a line each."""


@dataclass(frozen=True)
class Plan(Findings):
    """State of every stage of every stack (and of the model, for train and evaluate), and what a person should know."""

    catalogue: Catalogue = field(kw_only=True)
    """The stacks in the sources, as they were when the run began."""
    seen: Snapshot = field(kw_only=True, repr=False, compare=False)
    """The dataset as the plan saw it, which whoever asks more of it need not look at again."""

    @cached_property
    def stacks(self) -> Mapping[str, Stack]:
        """The stacks in the sources by name."""
        return {stack.name: stack for stack in self.catalogue.stacks}

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know, a line each."""
        of_stacks = [*self._grouped_remarks(), *self.general, *self._grouped_notes()]
        return (*of_stacks, *self.catalogue.notes, *self._unmatched_notes())

    def _grouped_remarks(self) -> Iterator[str]:
        """Remarks, a line each for all stacks of which one is true."""
        absent = {("ingest", name): f"{name}: {why}" if why else "" for name, why in self.catalogue.absent.items()}
        remarks = {key: absent.get(key, text) for key, text in self.remarks.items()}
        said = ((name, text.removeprefix(f"{name}: "), text) for (_, name), text in remarks.items() if text)
        of_one, groups = list[str](), list[tuple[str, str]]()
        for name, plain, text in said:
            of_one += [text] if plain == text else []
            groups += [(name, plain)] if plain != text else []
        return chain(of_one, _by_text(groups))

    def _grouped_notes(self) -> Iterator[str]:
        """What files say and was not believed, a line each for all stacks of which it is true."""
        return _by_text((name, note) for name, notes in sorted(self.file_notes.items()) for note in notes)

    def _unmatched_notes(self) -> Iterator[str]:
        """Files of truth that belong to no stack; many of them in a line."""
        files = self.catalogue.unmatched
        if len(files) > SHOWN_FILES:
            yield f"{len(files)} files of truth belong to no stack, no image bears their names: {shortened(files)}"
            return
        yield from (f"{file} belongs to no stack: no image bears its name" for file in files)

    def pending(self, stage: str | None = None, only: Iterable[str] | None = None) -> list[StageStatus]:
        """What is to be made, in the order of the stages; of the model too, whatever stacks it is narrowed to."""
        statuses = [s for s in self.statuses.values() if s.state in PENDING and stage in (None, s.stage)]
        chosen = None if only is None else set(only)
        return sorted(
            (s for s in statuses if chosen is None or s.name in chosen or s.stage in MODEL_STAGES),
            key=lambda status: (STAGES.index(status.stage), status.name),
        )

    def is_due(self, stage: str, only: Collection[str] | None = None) -> bool:
        """Whether a stage has something to make; or nothing but what it cannot, which its flow tells of."""
        chosen = (of == stage and (only is None or name in only or of in MODEL_STAGES) for of, name in self.blocked)
        is_absent = not any(of == stage for of, _ in self.statuses)
        return bool(self.pending(stage, only)) or (is_absent and any(chosen))

    def killed_leftovers(self) -> list[Folder]:
        """What killed runs left beside results that are fresh, beside the record, and beside lists of labels."""
        tops = [
            self.seen,
            self.seen / "history",
            *(self.seen.image(name) / "labels" for name in self.seen.stacks()),
            *(self.seen / f"{kind}/{name}" for kind in ("set-aside", "tables") for name in self.seen.members(kind)),
        ]
        drafts = (Folder((top / name).url) for top in tops for name in top.names() if DRAFT_OF_OURS.search(name))
        lost = [self.seen / LEASE] if (self.seen / LEASE).exists() else []
        return [*(left for of in self.leftovers.values() for left in of), *drafts, *lost]

    def set_aside(self) -> list[StageStatus]:
        """What failed and will not be tried again until something changes."""
        return [status for status in self.statuses.values() if status.state == "set aside"]

    def grouped_failures(self) -> list[tuple[str, str, str]]:
        """What was set aside: stage, names and reason, once for all whose reasons differ in names and numbers alone."""
        groups: dict[tuple[str, str], list[StageStatus]] = {}
        for status in self.set_aside():
            groups.setdefault((status.stage, _kind_of_reason(status)), []).append(status)
        return [(alike[0].stage, shortened([s.name for s in alike]), _reason(alike)) for alike in groups.values()]

    def names(self) -> list[str]:
        """Names of all stacks, sorted."""
        return sorted({name for stage, name in self.statuses if stage == "ingest"})

    def replanned(
        self, record: Record, touched: Collection[Key] = (), force: str | None = None, trust: Collection[str] = ()
    ) -> "Plan":
        """The plan after a run touched some stages of some stacks; the sources are taken as they were.

        Args:
            record: the run record by which this plan was made.
            touched: what may have been written or removed since; all of those stacks is looked at again.
            force: a stage that is made again though it is fresh.
            trust: stages that are not run any more.
        """
        seen = self.seen.looking_again(_folders_of(self.seen, record, touched))
        planner = Planner(StageRules(seen, record, self.stacks, force, trust), self, frozenset(touched))
        return Plan(**vars(planner.findings()), catalogue=self.catalogue, seen=seen)


def _kind_of_reason(status: StageStatus) -> str:
    """Why something was set aside, without what differs from one to the next: its name, paths and numbers."""
    plain = re.sub(rf"(?<!\w){re.escape(status.name)}(?!\w)", "", status.why)
    return re.sub(r"[0-9]+", "", re.sub(r"\S*/\S*", "", plain))


def _reason(alike: Sequence[StageStatus]) -> str:
    """The reason of the first, and that those of the others are like it."""
    same = all(status.why == alike[0].why for status in alike)
    return alike[0].why if same else f"{alike[0].why} (and the same of the others)"


def _by_text(said: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A line for each text, with the names of which it is said."""
    names: dict[str, list[str]] = {}
    for name, text in said:
        names.setdefault(text, []).append(name)
    yield from (f"{shortened(of)}: {text}" for text, of in names.items())


def make_plan(
    dataset: Dataset,
    record: Record,
    force: str | None = None,
    trust: Collection[str] = (),
    mirrored: Mirrored | None = None,
) -> Plan:
    """The plan of a dataset as it lies there now.

    Args:
        dataset: the folder.
        record: its run record, with whatever was set for this run.
        force: a stage whose results are to be made again though they are fresh.
        trust: stages that are not run any more: what they made is taken as it is. All, for a run of one stage alone.
        mirrored: what a look at remote sources found; without one they are looked at, and nothing is fetched.

    Raises:
        LookupError, ValueError: the sources are not there, or two stacks would bear one name.
    """
    seen = Snapshot(dataset.url)
    catalogue = find_catalogue(seen, record, mirrored)
    stacks = {stack.name: stack for stack in catalogue.stacks}
    planner = Planner(StageRules(seen, record, stacks, force, trust))
    return Plan(**vars(planner.findings()), catalogue=catalogue, seen=seen)


def _folders_of(dataset: Dataset, record: Record, touched: Iterable[Key]) -> Iterator[Folder]:
    """Where all lies that belongs to the stacks and models that were touched."""
    names = {name for stage, name in touched if stage in STACK_STAGES}
    of_model = [(stage, name) for stage, name in touched if stage in MODEL_STAGES]
    for stage, name in [*of_model, *product(STACK_STAGES, names)]:
        yield result_of(dataset, stage, name, record.model).folder
        yield dataset.set_aside(stage, name)
    for name in names:
        yield dataset.labels(name, "truth")
        yield dataset.table(record.model, name)


def require_stage(plan: Plan, stage: str) -> None:
    """Refuse a run of one stage that has nothing to work from."""
    if not any(of == stage for of, _ in plan.statuses):
        raise LookupError(f"{stage} must find what the stages before it make, got nothing; run `unet-flows reprocess`")


def require_known(plan: Plan, only: Iterable[str]) -> None:
    """Refuse names that are no stacks of the dataset."""
    unknown = sorted(set(only) - set(plan.names()))
    if unknown:
        known = ", ".join(plan.names()[:8]) or "none"
        raise LookupError(f"a name must be that of a stack of the dataset, got {unknown[0]!r}; known: {known}")
