"""What a report says was run: which model, on which machine, with which software, on which data, for how long."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from tasks.execution.timing import elapsed
from unet.dataset.folder import Dataset, Json
from unet.dataset.safe_load import load_json
from unet.images.units import symbol
from unet.ledger.generations import Result
from unet.ledger.results import image_of, labels_of, learnt_names, model_of, scores_of
from unet.ledger.stamp import Stamp, digest
from unet.ledger.versions import of_here
from unet.network.parity import known_parity
from unet.reports.plot_sums import PlotSums
from unet.reports.report import ReportTable
from unet.reports.report_plots import SizeScale
from unet.reports.report_words import counted

PARAMETERS = "model.safetensors"
HEADER = 100_000_000
"""Bytes of the longest header of safetensors that is read."""
ROWS = 500
"""Rows of the table of data; metrics.json has all."""


@dataclass(frozen=True)
class RunFacts:
    """What was run, for people and as plain values."""

    sections: dict[str, dict[str, str]] = field(default_factory=dict)
    plain: Json = field(default_factory=dict)


def run_facts(dataset: Dataset, model: str, names: Sequence[str], settings: Json, report: str) -> RunFacts:
    """Model, time, machine, software and digests of a report over the stacks `names`."""
    made = model_of(dataset, model)
    stamp, metadata, minutes = made.committed(), made.attributes(), _minutes(dataset, model, names)
    network, digests = _network(made, metadata, stamp), _digests(dataset, stamp, names, settings, report)
    plain = {
        "network": network,
        "minutes": minutes,
        "machine": _machine(dataset, model, names, stamp),
        "versions": {"model": stamp.packages, "report": of_here()},
        "digests": digests,
    }
    sections = {
        "Model": {key: _said(value) for key, value in network.items() if value not in (None, "")},
        "Minutes": {stage: f"{value:.1f}" for stage, value in minutes.items()},
        "Machine": plain["machine"],
        "Software": _software(stamp.packages),
        "Digests": digests,
    }
    return RunFacts({name: lines for name, lines in sections.items() if lines}, plain)


def data_facts(dataset: Dataset, model: str, stacks: Mapping[str, Mapping[str, Any]]) -> dict[str, Json]:
    """Of each stack by name its part, planes, sides, pixels, objects, segments, pixel size and digest."""
    return {name: _of_stack(dataset, model, name, known) for name, known in stacks.items()}


def data_table(data: Mapping[str, Json]) -> ReportTable:
    """The same as a table, with a sentence on all of it."""
    head = ("stack", "part", "planes", "y × x", "pixel size", "pixels", "objects", "segments", "digest")
    rows = [_row(name, of) for name, of in list(data.items())[:ROWS]]
    is_judged = any(of["objects"] is not None for of in data.values())
    what, noun = ("objects", "true object") if is_judged else ("segments", "segment")
    pixels, found = (sum(of[key] or 0 for of in data.values()) for key in ("pixels", what))
    said = f"{counted(len(data), 'stack')}, {counted(pixels, 'pixel')}, {counted(found, noun)}."
    more = f" The first {ROWS:,} are shown; metrics.json has all." if len(data) > ROWS else ""
    return ReportTable(head, rows, 2, said + more)


def size_scale(dataset: Dataset, names: Sequence[str], dimensions: int) -> SizeScale:
    """What sizes of objects are shown in: area or volume where all stacks have pixels of one known size."""
    axes, power = "zyx"[-dimensions:], "²³"[dimensions - 2]
    found = {_unit_size(image_of(dataset, name).committed().facts, axes) for name in names}
    known = found.pop() if len(found) == 1 else None
    if known is None:
        return SizeScale("pixels" if dimensions == 2 else "voxels")
    return SizeScale(f"{symbol(known[0])}{power}", known[1])


def sums_plain(by_part: Mapping[str, PlotSums]) -> Json:
    """What plots are made of, as plain values."""
    return {part: sums.plain() for part, sums in by_part.items()}


def _unit_size(facts: Mapping[str, Any], axes: str) -> tuple[str, float] | None:
    spacing, units = facts["spacing"], {facts["units"].get(axis) for axis in axes}
    unit = units.pop()
    if units or not unit or not all(axis in spacing for axis in axes):
        return None
    return unit, round(prod(spacing[axis] for axis in axes), 12)


def _network(made: Result, metadata: Json, stamp: Stamp) -> Json:
    """What a person asks of a model; `trained on` counts stacks and planes."""
    known, settings = metadata["architecture"], stamp.recipe.settings
    parts = metadata.get("split", [])
    amounts = {
        use: f"{counted(sum(p['stop'] - p['start'] for p in of), 'plane')} of {counted(len(_stacks(of)), 'stack')}"
        for use in ("training", "validation", "test")
        if (of := [p for p in parts if p["use"] == use])
    }
    steps = len(metadata.get("history", []))
    return {
        "made": stamp.made.replace("T", " ").replace("+00:00", " UTC"),
        "network": f"U-Net, depth {known.get('depth')}, base {known.get('base')}",
        "parameters": _parameters(made, stamp),
        "classes": ", ".join(("background", *learnt_names(metadata))),
        "channels": ", ".join(metadata.get("channels", ())),
        **{f"{use} part": said for use, said in amounts.items()},
        "steps": f"{steps:,}, those of {metadata.get('best_step', steps):,} kept" if steps else None,
        "seed": settings.get("seed"),
        **{f"predicted in {one.precision} on {one.device}": one.words for one in known_parity(metadata)},
        "brought in from": metadata.get("came_from"),
    }


def _stacks(parts: Sequence[Mapping[str, Any]]) -> set[str]:
    return {str(part["stack"]) for part in parts}


def _parameters(made: Result, stamp: Stamp) -> int | None:
    """Numbers that a network learnt, as the header of its file counts them; None where it is not there."""
    file = made.folder / stamp.generation / PARAMETERS
    content = file.read() or b""
    length = int.from_bytes(content[:8], "little")
    if not 0 < length < min(HEADER, len(content)):
        return None
    tensors = load_json(content[8 : 8 + length], f"the header of {file.url}")
    learnt = {name: of["shape"] for name, of in tensors.items() if name != "__metadata__"}
    return sum(int(prod(shape)) for name, shape in learnt.items() if not _is_statistic(name))


def _is_statistic(name: str) -> bool:
    return name.endswith(("running_mean", "running_var", "num_batches_tracked"))


def _minutes(dataset: Dataset, model: str, names: Sequence[str]) -> dict[str, float]:
    """Minutes that each stage took, of these stacks and of the model."""
    results = {
        "ingest": [image_of(dataset, name) for name in names],
        "train": [model_of(dataset, model)],
        "predict": [scores_of(dataset, model, name) for name in names],
        "segment": [labels_of(dataset, name, model) for name in names],
    }
    stamps = {stage: [stamp for one in of if (stamp := one.known_stamp())] for stage, of in results.items()}
    taken = {stage: sum(stamp.facts.get("seconds", 0) for stamp in of) / 60 for stage, of in stamps.items()}
    return {stage: round(value, 2) for stage, value in (taken | {"evaluate": elapsed() / 60}).items() if value}


def _machine(dataset: Dataset, model: str, names: Sequence[str], stamp: Stamp) -> dict[str, str]:
    """Devices of training and prediction, and what this process runs on."""
    predicted = [made.plan for name in names if (made := scores_of(dataset, model, name).known_stamp())]
    found = {"train": _devices([stamp.plan]), "predict": _devices(predicted)}
    here = {"report made on": f"{platform.system()} {platform.machine()}", "Python": platform.python_version()}
    return {key: value for key, value in found.items() if value} | here


def _devices(plans: Sequence[Mapping[str, Any]]) -> str:
    said = [", ".join(str(plan[key]) for key in ("device", "precision") if plan.get(key)) for plan in plans]
    return "; ".join(dict.fromkeys(filter(None, said)))


def _software(made_with: Mapping[str, str]) -> dict[str, str]:
    """Versions of packages; where the model was made with another one, both."""
    here = {key: found for key, found in of_here().items() if found}
    return {package: _versions(before.split("+")[0], here.get(package)) for package, before in made_with.items()}


def _versions(before: str, now: str | None) -> str:
    return before if now in (None, before) else f"{now} (model: {before})"


def _digests(dataset: Dataset, stamp: Stamp, names: Sequence[str], settings: Json, report: str) -> dict[str, str]:
    contents = sorted(_content(dataset, name) for name in names)
    return {
        "model": stamp.identity,
        "report": report,
        "images": digest(contents),
        "settings": digest(settings),
        "source code": str(of_here()["source"]),
    }


def _content(dataset: Dataset, name: str) -> str:
    stamp = image_of(dataset, name).known_stamp()
    return str((stamp.facts.get("files") or {}).get("content", stamp.generation)) if stamp else ""


def _of_stack(dataset: Dataset, model: str, name: str, known: Mapping[str, Any]) -> Json:
    facts = image_of(dataset, name).committed().facts
    sizes = dict(zip(facts["axes"], facts["shape"], strict=True))
    segments = labels_of(dataset, name, model).known_stamp()
    planes = sizes.get("t", 1) * sizes.get("z", 1)
    spacing = {axis: facts["spacing"][axis] for axis in "zyx" if axis in facts["spacing"] and axis in sizes}
    return {
        "part": known.get("part", "without truth"),
        "planes": planes,
        "y": sizes["y"],
        "x": sizes["x"],
        "pixels": planes * sizes["y"] * sizes["x"],
        "objects": known.get("objects"),
        "segments": segments.facts.get("count") if segments else None,
        "spacing": spacing,
        "units": {axis: facts["units"][axis] for axis in spacing if axis in facts["units"]},
        "digest": _content(dataset, name),
    }


def _row(name: str, of: Json) -> list[str]:
    counts = [f"{of[key]:,}" if of[key] is not None else "–" for key in ("pixels", "objects", "segments")]
    return [name, of["part"], f"{of['planes']:,}", f"{of['y']:,} × {of['x']:,}", _pixel_size(of), *counts, of["digest"]]


def _pixel_size(of: Json) -> str:
    """Such as `0.5 × 0.5 µm`."""
    if not of["spacing"]:
        return "unknown"
    units = list(dict.fromkeys(symbol(of["units"].get(axis, "")) for axis in of["spacing"]))
    return f"{' × '.join(f'{value:.4g}' for value in of['spacing'].values())} {' / '.join(units)}".strip()


def _said(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
