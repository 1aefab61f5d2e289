"""What became of a dataset's models over time: each training, and the headline of each report, a line of JSON each.

A report and a model are replaced by the next ones; these lines stay. `history/MODEL.jsonl` is only ever added to, but
for its oldest lines where there are very many. A line is written once a result is committed, or else before it is
replaced, so that no kill loses it; a line that is damaged is passed over.
"""

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from unet.dataset.folder import Dataset, Json
from unet.dataset.safe_load import load_json
from unet.evaluation.parts import PARTS, headline_part
from unet.ledger.generations import Result
from unet.ledger.made_of import changes, made_of
from unet.ledger.metadata_types import HistoryLine, require_types
from unet.ledger.results import model_of, report_of

log = logging.getLogger(__name__)

MOST = 1000
"""Lines that are kept of a model; the newest."""
LARGEST = 2**24
"""Bytes of the file beyond which it is none of ours."""
OF_REPORTS = ("weigh.", "predict.", "segment.", "version of evaluate")
"""What of a model is known by its report alone."""


class Entry(NamedTuple):
    """One line: a training or a report."""

    kind: str
    model: str
    made: str
    generation: str
    part: str | None
    """What the figures are of; None of a training."""
    figures: dict[str, Json]
    """Of each metric `value`, `low`, `high` and `n`; of a training the loss that validated it."""
    made_of: Json


class Event(NamedTuple):
    """An entry, with what was changed since the one of its kind before it."""

    entry: Entry
    changed: list[str]
    since: str
    """The model of the entry before; "" where there is none."""


def keep_history(dataset: Dataset, model: str) -> None:
    """Add lines of the model and the report that are there, unless they have theirs.

    Where the file cannot be read or written the log says so: what the lines are of is committed and stays.
    """
    try:
        lines = _lines(dataset, model)
        known = {(entry.kind, entry.generation) for entry in _entries(lines)}
        more = [entry for entry in _present(dataset, model) if (entry.kind, entry.generation) not in known]
        if more:
            kept = [*lines, *(json.dumps(entry._asdict(), ensure_ascii=False) for entry in more)][-MOST:]
            dataset.history(model).write("".join(f"{line}\n" for line in kept).encode())
    except (OSError, ValueError) as error:
        log.warning("the history of %s cannot be kept: %s", model, error)


def history(dataset: Dataset) -> list[Event]:
    """All of it, the oldest first; what is there now and has no line yet is among it."""
    files = [name.removesuffix(".jsonl") for name in dataset.members("history") if name.endswith(".jsonl")]
    entries = list[Entry]()
    for model in dict.fromkeys([*files, *dataset.members("models"), *dataset.members("reports")]):
        known = {(entry.kind, entry.generation): entry for entry in _present(dataset, model)}
        try:
            known |= {(entry.kind, entry.generation): entry for entry in _entries(_lines(dataset, model))}
        except (OSError, ValueError) as error:
            log.warning("the history of %s cannot be read: %s", model, error)
        entries += known.values()
    return _events(sorted(entries, key=lambda entry: (_time(entry.made), entry.kind == "report")))


def _events(entries: list[Entry]) -> list[Event]:
    """Entries with what was changed: of a report since the one before, of a training since that model's before."""
    events, reported, trained = list[Event](), list[Entry](), dict[str, Entry]()
    for entry in entries:
        before = trained.get(entry.model) if entry.kind == "training" else reported[-1] if reported else None
        changed = changes(before.made_of, entry.made_of) if before else []
        events.append(Event(entry, changed, before.model if before else ""))
        if entry.kind == "training":
            trained[entry.model] = entry
        else:
            reported.append(entry)
    return events


def _lines(dataset: Dataset, model: str) -> list[str]:
    """Lines of a model's file.

    Raises:
        ValueError: it is larger than any of ours; read in part, and put anew, it would lose its newest lines.
    """
    content = dataset.history(model).read(LARGEST + 1) or b""
    if len(content) > LARGEST:
        raise ValueError(f"{dataset.history(model).url} must be of at most {LARGEST:,} bytes, got more; move it away")
    return [line for line in content.decode(errors="replace").splitlines() if line.strip()]


def _entries(lines: list[str]) -> Iterator[Entry]:
    for line in lines:
        try:
            values = load_json(line.encode(), "a line")
            require_types(values, HistoryLine, "a line")
            yield Entry(**values)
        except (ValueError, TypeError):
            log.warning("a line of the history is damaged, and passed over: %s", line[:80])


def _present(dataset: Dataset, model: str) -> Iterator[Entry]:
    """Entries of the model, if it was trained here, and of its report, as they are now."""
    trained = model_of(dataset, model)
    if (stamp := trained.known_stamp()) is not None and stamp.recipe.stage == "train":
        metadata = trained.known_attributes()
        if not metadata.get("came_from"):
            of = {key: value for key, value in made_of(dataset, model).items() if not key.startswith(OF_REPORTS)}
            yield Entry("training", model, stamp.made, stamp.generation, None, _losses(metadata), of)
    report = report_of(dataset, model)
    if (made := report.known_stamp()) is not None:
        yield _of_report(dataset, model, report, made.generation)


def _of_report(dataset: Dataset, model: str, report: Result, generation: str) -> Entry:
    values = report.known_attributes()
    part = headline_part([part for part in PARTS if values.get(part)])
    means: dict[str, Json] = values[part] if part else {}
    figures = {name: {key: of.get(key) for key in ("value", "low", "high", "n")} for name, of in means.items()}
    of = made_of(dataset, model) | {"scored stacks": len(values.get("stacks", {}))}
    return Entry("report", model, str(values.get("made", "")), generation, part, figures, of)


def _losses(metadata: Json) -> dict[str, Json]:
    """The loss of the step that was kept."""
    steps, best = metadata.get("history") or [], metadata.get("best_step", 0)
    kept: dict[str, Any] = steps[best - 1] if 0 < best <= len(steps) else {}
    loss = kept.get("validation_loss")
    return {} if loss is None else {"validation loss": {"value": loss, "n": best}}


def _time(made: str) -> float:
    try:
        return datetime.fromisoformat(made).timestamp()
    except ValueError:
        return 0.0
