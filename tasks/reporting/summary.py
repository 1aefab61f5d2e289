"""What a run did, told at its end: a table of its outcomes, and one page with counts, reasons, figures and pictures.

The page's key is that of the flow and the dataset, so that the UI shows the runs of every night one below the other.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from tasks.execution.outcomes import SetAside
from tasks.reporting.artifacts import (
    BYTES,
    SIDE,
    as_table,
    classes_tables,
    embedded,
    is_run,
    metrics_table,
    show,
    shown_name,
    slug,
    verbatim,
)
from tasks.reporting.gallery import Picture, gallery
from unet.dataset.folder import Dataset
from unet.evaluation.drift import number_words, range_words
from unet.evaluation.parts import headline_part
from unet.evaluation.stamped_values import drift_rows
from unet.ledger.outcome import Outcome, standing_line
from unet.ledger.results import report_of

MODEL_WIDE = ("train", "evaluate")
"""Stages whose outcomes bear the name of a model."""
ALONE = 4
"""Pictures of a stage that was run by itself."""
TOGETHER = {"ingest": 1, "weigh": 1, "train": 1, "predict": 0, "segment": 4, "evaluate": 1}
"""Pictures of each stage where several were run."""
SIDES = {"weigh": 960, "train": 720}
"""Pixels of the longer side of pictures that hold words."""
ROWS = 2000
"""Rows of the table: it lies in the server's database."""
REASONS = 50
"""Results that were set aside that are listed; and numbers in which stacks are unlike those of training."""


class Summary:
    """What a run does, stage by stage: `with Summary(dataset, "reprocess", "unet") as summary: …`; shown at the end."""

    def __init__(self, dataset: Dataset, flow: str, model: str) -> None:
        self.dataset, self.flow, self.model = dataset, flow, model
        self.outcomes: dict[Outcome, None] = {}
        self.seconds: dict[str, float] = {}
        self.error: BaseException | None = None

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Seconds of a stage, however it ends."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] = time.monotonic() - began

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Results that are there now, or were set aside; one that is known already is not listed again."""
        self.outcomes |= dict.fromkeys(outcomes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stopped = error is not None and not isinstance(error, Exception)  # whoever cancels it does not want to wait
        if is_run() and not stopped and (self.outcomes or error is not None):
            self.error = error
            show(f"the summary of {self.flow}", self._publish)

    def _publish(self) -> None:
        of = slug(shown_name(self.dataset))
        failed_first = sorted(self.outcomes, key=lambda outcome: (outcome.state != "set aside", outcome.is_old))
        rows = [{"stage": o.stage, "name": o.name, "state": o.state, "what": o.why} for o in failed_first[:ROWS]]
        first = f", the first {ROWS} of them" if len(failed_first) > ROWS else ""
        words = f"{len(failed_first)} results of {self.flow} of {shown_name(self.dataset)}{first}"
        create_table_artifact(rows, key=f"{self.flow}-outcomes-{of}", description=words)
        create_markdown_artifact(self.page(), key=f"{self.flow}-{of}", description=self.headline())

    def headline(self) -> str:
        """One line: how many were made, how many were set aside, how long it took."""
        states = Counter(outcome.state for outcome in self.outcomes)
        standing = sum(1 for outcome in self.outcomes if outcome.is_old)
        aside = f", {states['set aside'] - standing} set aside" if states["set aside"] > standing else ""
        minutes = _minutes(sum(self.seconds.values()))
        return f"{self.flow} of {shown_name(self.dataset)}: {states['done']} made{aside}, {minutes} min"

    def page(self) -> str:
        """All of it, as markdown of at most 300 kB."""
        parts = [f"# {self.headline()}", verbatim(self.dataset.url)]
        if self.error is not None and not isinstance(self.error, SetAside):  # whose reasons are listed below
            parts.append(f"**Stopped:** {verbatim(str(self.error))}")
        parts += [self._by_stage(), *self._reasons(), *self._drift(), *self._metrics()]
        words = "\n\n".join(part for part in parts if part)
        return "\n\n".join([words, *self._pictures(BYTES - len(words.encode()))])

    def _by_stage(self) -> str:
        rows = [("stage", "made", "set aside", "minutes")]
        for stage in dict.fromkeys([*self.seconds, *(outcome.stage for outcome in self.outcomes)]):
            states = Counter(outcome.state for outcome in self.outcomes if outcome.stage == stage)
            minutes = _minutes(self.seconds[stage]) if stage in self.seconds else ""
            rows.append((stage, str(states["done"]), str(states["set aside"] or ""), minutes))
        return as_table(rows) if len(rows) > 1 else ""

    def _reasons(self) -> list[str]:
        failed = [outcome for outcome in self.outcomes if outcome.state == "set aside" and not outcome.is_old]
        standing = [said] if (said := standing_line([of.name for of in self.outcomes if of.is_old])) else []
        if not failed:
            return standing
        listed = "\n".join(f"- **{o.name}** at {o.stage}: {verbatim(o.why[:500])}" for o in failed[:REASONS])
        more = [f"And {len(failed) - REASONS} more; `unet-flows status` lists them."] if len(failed) > REASONS else []
        return ["## Set aside", listed, *more, *standing]

    def _drift(self) -> list[str]:
        """In what the stacks of this run are unlike those that the model was trained on."""
        made = dict.fromkeys(o.name for o in self.outcomes if o.state == "done" and o.stage not in MODEL_WIDE)
        rows = [row for row in drift_rows(self.dataset, self.model, list(made)) if row.is_drift]
        if not rows:
            return []
        table = [("stack", "what", "here", "in training", "")]
        table += [(r.stack, r.what, number_words(r.value), range_words(r), r.verdict) for r in rows[:REASONS]]
        more = [f"And {len(rows) - REASONS} more; `unet-flows status` groups them."] if len(rows) > REASONS else []
        return [f"## Unlike what {self.model} was trained on", as_table(table), *more]

    def _metrics(self) -> list[str]:
        """Figures of the report, of its headline."""
        if not any(outcome.stage == "evaluate" and outcome.state == "done" for outcome in self.outcomes):
            return []
        metadata = report_of(self.dataset, self.model).attributes()
        part = headline_part(metadata)
        return [f"## {self.model}", metrics_table({part: metadata[part]} if part else {}), *classes_tables(metadata)]

    def _pictures(self, room: int) -> list[str]:
        """Pictures of what was made, that share so many bytes."""
        made: dict[str, list[str]] = {}
        for outcome in self.outcomes:
            if outcome.state == "done":
                made.setdefault(outcome.stage, []).append(outcome.name)
        counts = TOGETHER if len(made) > 1 else dict.fromkeys(made, ALONE)
        drawn: list[tuple[str, Picture]] = []
        for stage, names in made.items():
            drawn += [(stage, one) for one in gallery(self.dataset, stage, self.model, names, counts[stage])]
        shown: list[str] = []
        for at, (stage, one) in enumerate(drawn):  # what a small one leaves is the next one's
            shown.append(embedded(one.title, one.png, room // (len(drawn) - at), SIDES.get(stage, SIDE)))
            room -= len(shown[-1].encode()) + len("\n\n")
        return shown


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f}"
