"""The table of a benchmark: what the paper has, the best that is known, and ours, with the difference."""

import math
from collections.abc import Mapping, Sequence

from unet.benchmarks.published import Benchmark, Published, PublishedFigure, benchmark_of
from unet.dataset.folder import Json

CAUTION = (
    "The labels of the challenge's test data are secret: ours is cross-validation on its training data, theirs is not, "
    "so the difference is a sign and no proof."
)
CAUTION_OF_PICTURES = (
    "Ours is cross-validation on the pictures that are in the folder, theirs is of others and of more kinds: "
    "the difference is a sign and no proof."
)


def compared(benchmark: Benchmark, figures: Mapping[str, Json]) -> dict[str, Json]:
    """Each of our figures beside those published; the difference is ours less the paper's, else less the best."""
    return {
        figure.name: _compared(figure, figures[figure.name]) for figure in benchmark.figures if figure.name in figures
    }


def _compared(figure: PublishedFigure, ours: Json) -> Json:
    beside = figure.paper or figure.best
    value = None if math.isnan(ours["value"]) else ours["value"]
    difference = None if beside is None or value is None else value - beside.value
    of = {
        "label": figure.label,
        "better": figure.better,
        "ours": value,
        **{k: v for k, v in ours.items() if k != "value"},
    }
    return {**of, "paper": _plain(figure.paper), "best": _plain(figure.best), "difference": difference}


def _plain(published: Published | None) -> Json | None:
    return None if published is None else published._asdict()


def as_markdown(result: Json) -> str:
    """The table, and what must be known to read it, of what `reproduce.json` holds."""
    rows: list[Sequence[str]] = [("", "paper", "best known", "ours", "difference", "n")]
    rows += [_row(of) for of in result["figures"].values()]
    trainings = [fold for fold in result["folds"] if fold["minutes"] is not None]
    minutes = sum(fold["minutes"] for fold in trainings)
    training = sum(fold["training_minutes"] for fold in trainings)
    lines = [
        f"# {result['title']}",
        _aligned(rows),
        *dict.fromkeys(_footnotes(result["figures"])),
        *([result["remark"]] if result["remark"] else []),
        CAUTION_OF_PICTURES if benchmark_of(result["benchmark"]).kind == "pictures" else CAUTION,
        f"Recipe {result['recipe']}{_said(result['settings'])}; {_folds(result)}.",
        f"{training:.1f} minutes of training, {minutes:.1f} in all, on {'; '.join(result['hardware'])}.",
        *result["notes"],
    ]
    return "\n\n".join(lines) + "\n"


def _folds(result: Json) -> str:
    tested = " and ".join(f"{fold['name']} ({fold['steps']:,} steps)" for fold in result["folds"])
    return f"folds: {tested}"


def _said(settings: Mapping[str, object]) -> str:
    besides = [f"{key}={value}" for key, value in settings.items() if key != "train.preset"]
    return f" with {', '.join(besides)}" if besides else ""


def _row(of: Json) -> tuple[str, ...]:
    arrow = {"higher": "↑", "lower": "↓"}[of["better"]]
    label = f"{of['label']} {arrow}" + (f", at {of['threshold']:.1f}" if "threshold" in of else "")
    difference = "–" if of["difference"] is None else _number(of["difference"], "+")
    ours = "–" if of["ours"] is None else _number(of["ours"])
    return label, _of_others(of["paper"]), _of_others(of["best"]), ours, difference, f"{of['n']:,}"


def _of_others(published: Json | None) -> str:
    return "–" if published is None else ("≈ " if published["is_about"] else "") + _number(published["value"])


def _number(value: float, sign: str = "") -> str:
    """A number with as many digits as it was published with, about.

    >>> _number(0.9203), _number(0.000353), _number(-0.0123, "+")
    ('0.9203', '0.000353', '-0.0123')
    """
    return f"{value:{sign}.6f}" if 0 < abs(value) < 0.001 else f"{value:{sign}.4f}"


def _footnotes(figures: Mapping[str, Json]) -> list[str]:
    """Whose the best figures are, and which stand for others."""
    labels: dict[str, list[str]] = {}
    for of in figures.values():
        if of["best"]:
            labels.setdefault(of["best"]["by"], []).append(of["label"])
    best = "; ".join(f"{' and '.join(of)} by {by}" for by, of in labels.items())
    notes = [f"Best known: {best if len(labels) > 1 else next(iter(labels))}."] if labels else []
    if any(of[who] and of[who]["is_about"] for of in figures.values() for who in ("paper", "best")):
        notes.append("≈: from memory, or at odds with others of its list.")
    if any(of["paper"] is None for of in figures.values()):
        notes.append("Where the paper has no figure, the difference is that to the best known.")
    return notes


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown, of even columns.

    >>> print(_aligned([("", "n"), ("SEG", "12")]))
    |     |  n |
    |:----|---:|
    | SEG | 12 |
    """
    widths = [max(3 * (at == 0), *(len(row[at]) for row in rows)) for at in range(len(rows[0]))]
    cells = [[row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))] for row in rows]
    rule = [":" + "-" * (widths[0] + 1), *("-" * (width + 1) + ":" for width in widths[1:])]
    head, *body = (f"| {' | '.join(row)} |" for row in cells)
    return "\n".join([head, f"|{'|'.join(rule)}|", *body])
