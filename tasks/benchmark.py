"""A fold of a benchmark: its files and record, before the stages; what it scores, after them; and the table of all."""

import os
import platform
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch
from prefect.artifacts import create_markdown_artifact

from tasks.policy import cpu_task
from tasks.reporting.artifacts import is_run, show
from unet.benchmarks.folds import Fold
from unet.benchmarks.layouts import BenchmarkUnit
from unet.benchmarks.order import MODEL, BenchmarkOrder
from unet.benchmarks.result_folder import write_results
from unet.benchmarks.scoring import counts_of, figures_of
from unet.benchmarks.table import as_markdown, compared
from unet.benchmarks.training_files import source_of, truth_in_words, write_files
from unet.dataset.folder import Dataset, Json
from unet.dataset.record_file import set_values, write_record
from unet.ledger.results import image_of, labels_of, model_of, report_of, scores_of, weights_of
from unet.store.opened_dataset import open_dataset


@cpu_task("prepare")
def prepare_fold(order: BenchmarkOrder, units: dict[str, BenchmarkUnit], fold: Fold) -> None:
    """Write the files and the record that a fold's dataset is made of; what says of what they are made comes last."""
    wanted, made = order.wanted(units, fold), order.made(fold)
    if (made.read_json() or {}).get("files") != wanted["files"]:
        write_files(order.benchmark, units, fold, order.files(fold))
    dataset = order.dataset(fold)
    write_record(dataset, [source_of(order.benchmark, list(units.values()), fold, order.files(fold))])
    if settings := order.settings():
        set_values(dataset, settings)
    made.write_json(wanted)


@cpu_task("score")
def score_fold(order: BenchmarkOrder, units: dict[str, BenchmarkUnit], fold: Fold) -> None:
    """Count what the tested part of a fold has right; of sequences, write its masks for the challenge's tools too."""
    dataset, scored_of, notes = order.dataset(fold), order.scored_of(fold), list[str]()
    opened = open_dataset(dataset.url)
    counts = counts_of(order.benchmark, units, fold, opened, MODEL)
    if order.benchmark.kind == "sequences":
        notes += truth_in_words(units, fold)
        for part in fold.tested:
            segments = opened.segments(part.stack, MODEL)[...]
            planes = segments.reshape(-1, *segments.shape[-2:])
            notes.append(write_results(Path(order.to) / f"{part.unit}_RES", units[part.unit], list(planes)))
    known = {"of": scored_of, "counts": counts, "notes": notes, **_facts(dataset, fold)}
    order.score(fold).write_json(known)


@cpu_task("table")
def write_table(order: BenchmarkOrder, folds: list[Fold]) -> Json:
    """What all folds come to beside what was published: `reproduce.json` and `reproduce.md`."""
    known = {fold.name: order.counted(fold) for fold in folds}
    scored = {name: of for name, of in known.items() if of is not None}
    figures = figures_of(order.benchmark, [of["counts"] for of in scored.values()])
    result = {
        "benchmark": order.name,
        "title": order.benchmark.title,
        "remark": order.benchmark.remark,
        "recipe": order.recipe,
        "settings": order.settings(),
        "data": str(Path(order.data).resolve()),
        "figures": compared(order.benchmark, figures),
        "folds": [_of_fold(order, name, of) for name, of in scored.items()],
        "hardware": list(dict.fromkeys(of["hardware"] for of in scored.values())),
        "notes": [note for of in scored.values() for note in of["notes"]],
        "of": [of["of"] for of in scored.values()],
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    text = as_markdown(result)
    (order.place / "reproduce.md").write(text.encode())
    (order.place / "reproduce.json").write_json(result)
    if is_run():
        key = f"reproduce-{order.name}"
        show("the table", partial(create_markdown_artifact, text, key=key, description=order.benchmark.title))
    return result


def _of_fold(order: BenchmarkOrder, name: str, known: Json) -> Json:
    figures = compared(order.benchmark, figures_of(order.benchmark, [known["counts"]]))
    facts = {k: known[k] for k in ("trained_on", "tested_on", "steps", "device", "training_minutes", "minutes")}
    return {"name": name, **facts, "figures": {measure: of["ours"] for measure, of in figures.items()}}


def _facts(dataset: Dataset, fold: Fold) -> Json:
    """How much a fold was trained, on what, and how long all of it took, by its stamps."""
    model = model_of(dataset, MODEL)
    trained = model.committed()
    stacks = [part.stack for part in (*fold.training, *fold.tested)]
    results = [of for name in stacks for of in (image_of(dataset, name), weights_of(dataset, name))]
    results += [of for name in stacks for of in (scores_of(dataset, MODEL, name), labels_of(dataset, name, MODEL))]
    stamps = [result.known_stamp() for result in (*results, model, report_of(dataset, MODEL))]
    device = str(trained.plan.get("device", "cpu"))
    return {
        "trained_on": sum(len(part.planes) for part in fold.training),
        "tested_on": sum(len(part.planes) for part in fold.tested),
        "steps": len(model.attributes()["history"]),
        "device": device,
        "hardware": hardware(device),
        "training_minutes": trained.facts.get("seconds", 0) / 60,
        "minutes": sum(stamp.facts.get("seconds", 0) for stamp in stamps if stamp) / 60,
    }


def hardware(device: str) -> str:
    """This machine in words: the GPU that trained, if one did, and the processor."""
    cpu = f"{os.cpu_count()} cores of {_processor()}"
    return f"{torch.cuda.get_device_name()} and {cpu}" if device == "cuda" and torch.cuda.is_available() else cpu


def _processor() -> str:
    """Name of the processor, as the system has it."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text("utf-8", "replace").splitlines() if known.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine())
