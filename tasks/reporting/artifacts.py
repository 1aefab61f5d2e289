"""A committed report, or model → an artifact in the Prefect UI, so that a run shows what it led to.

The pictures go along as data URLs, small: artifacts live in the server's database. The page of the report stays where
it is; its path is shown. What cannot be shown is logged, and fails no run.
"""

import base64
import io
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from httpx import TransportError
from PIL import Image
from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext, TaskRunContext

from unet.dataset.folder import Dataset, Folder
from unet.evaluation.parts import PARTS
from unet.ledger.generations import Result
from unet.ledger.results import model_of, report_of
from unet.reports import pictures

log = logging.getLogger(__name__)

PICTURES = ("worst", "only", "median", "best", "uncertain-1", "training")
"""Names of the pictures that are shown of a report, where it has them."""
OF_TRAINING = ("training", "samples")
"""Names of the pictures that are shown of a training."""
LEGEND = (
    "Planes from the worst to the best: ✕ missed, + invented, ▲ merged, ▼ split, ? uncertain where there is no truth; "
    "outlines of segments are solid, those of truth dashed."
)
BYTES = 300_000
"""Largest artifact; the pictures share what the words leave."""
SIDE = 480
"""Pixels of the longer side of a picture, less where it would take more than its share."""

SHOW_AGAIN_AFTER = 600.0
"""Seconds for which nothing is shown after a server did not answer."""

_silent_until = 0.0
Figures = Mapping[str, Mapping[str, Any]]


def show(what: str, publish: Callable[[], object]) -> None:
    """Show something in the Prefect UI; errors are logged, because a lost server is no reason to stop the work.

    Each call on a server that is gone takes a minute, as Prefect tries it again; after the first, nothing is shown for
    some minutes.
    """
    global _silent_until  # noqa: PLW0603  # a server is gone for all of a process
    if time.monotonic() < _silent_until:
        return
    try:
        publish()
    except Exception as error:
        if isinstance(error, TransportError):
            _silent_until = time.monotonic() + SHOW_AGAIN_AFTER
        log.warning("%s is not shown: %s", what, str(error) or type(error).__name__)


def publish_report(dataset: Dataset, model: str) -> None:
    """Show a model's committed report in the Prefect UI; nothing happens outside a run, or where there is no report."""
    if is_run() and report_of(dataset, model).stamp() is not None:
        what = {"key": f"report-{slug(model)}", "description": f"Report on {model}"}
        show(f"the report on {model}", lambda: create_markdown_artifact(as_markdown(dataset, model), **what))


def publish_training(dataset: Dataset, model: str) -> None:
    """Show how a model was trained, its curve and its first samples, in the Prefect UI; nothing outside a run."""
    result = model_of(dataset, model)
    if is_run() and result.stamp() is not None:
        what = {"key": f"training-{slug(model)}", "description": f"Training of {model}"}
        show(f"the training of {model}", lambda: create_markdown_artifact(_training(result, model), **what))


def _training(result: Result, model: str) -> str:
    words = [f"# Training of {model}", f"The best parameters are those of step {result.attributes()['best_step']}."]
    folder = result.folder / result.committed().generation
    return "\n\n".join([*words, *_shown(folder, OF_TRAINING, BYTES - 1000)])


def is_run() -> bool:
    """Whether there is a run to show something of."""
    return TaskRunContext.get() is not None or FlowRunContext.get() is not None


def as_markdown(dataset: Dataset, model: str) -> str:
    """The report as one page of at most 300 kB: figures, where the whole report lies, pictures."""
    report = report_of(dataset, model)
    folder, metadata = report.folder / report.committed().generation, report.attributes()
    page = report.folder / "report.html"
    where = Path(page.url).resolve() if page.is_local else page.url
    words = [f"# Report on {model}", f"The whole report: {verbatim(str(where))}", f"Made {metadata['made']}."]
    words += [metrics_table({part: metadata[part] for part in PARTS if part in metadata})]
    words += [*classes_tables(metadata), LEGEND]
    return "\n\n".join(words + _shown(folder, PICTURES, BYTES - len("\n\n".join(words).encode())))


def _shown(folder: Folder, names: Sequence[str], room: int) -> list[str]:
    """Markdown of the pictures that a folder has of these names; they share so many bytes."""
    content = {name: (folder / f"{name}.png").read() for name in names}
    there = {name: picture for name, picture in content.items() if picture is not None}
    return [embedded(name, picture, room // len(names)) for name, picture in there.items()]


def shown_name(dataset: Dataset) -> str:
    """Name of a dataset: the last part of its folder."""
    return Path(dataset.url).resolve().name if dataset.is_local else dataset.name


def slug(name: str) -> str:
    """A name as the key of an artifact: lower case, digits, dashes.

    >>> slug("U-Net_v2")
    'u-net-v2'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def verbatim(text: str) -> str:
    """Text of others, as a file's name or what it says, in markdown: no link, picture or page in it is one.

    >>> print(verbatim("![`x`](http://elsewhere/a.png) cannot be read"))
    `!['x'](http://elsewhere/a.png) cannot be read`
    """
    return f"`{' '.join(text.split()).replace('`', chr(39))}`"


def as_table(rows: Sequence[Sequence[str]]) -> str:
    r"""A table in markdown; the first row is its head, and no text of a cell breaks out of it.

    >>> print(as_table([("name", "why"), ("a", "x | y")]))
    | name | why |
    | --- | --- |
    | a | x \| y |
    """
    cells = [[re.sub(r"\s+", " ", cell).replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [cells[0], ["---"] * len(cells[0]), *cells[1:]])


def metrics_table(parts: Mapping[str, Figures]) -> str:
    """Metrics by parts of the data; each figure with its interval and the planes it was measured on."""
    if not parts:
        return "Nothing was there to compare with."
    names = next(iter(parts.values()))
    return as_table([("metric", *parts), *((name, *(_figure(parts[part][name]) for part in parts)) for name in names)])


def classes_tables(metadata: Mapping[str, Any]) -> list[str]:
    """Metrics of each class, and which was taken for which, as a report's metadata has them; none of one class."""
    if "classes" not in metadata:
        return []
    classes, confusion = metadata["classes"], metadata["confusion"]
    named, counts = [verbatim(name) for name in classes], metadata["class_counts"].values()
    counted = ("true objects, segments", *(f"{n['objects']:,}, {n['segments']:,}" for n in counts), "")
    rows = [
        (metric, *(_figure(of_class[metric]) for of_class in classes.values()), _mean(mean))
        for metric, mean in metadata["mean_over_classes"].items()
    ]
    taken = [
        (
            verbatim(name),
            *(f"{count:,}" for count in confusion["matched"][name].values()),
            f"{confusion['missed'][name]:,}",
        )
        for name in classes
    ]
    made_up = ("made up", *(f"{count:,}" for count in confusion["invented"].values()), "")
    first, second = (
        [("class", *named, "mean"), counted, *rows],
        [("truth, found as", *named, "missed"), *taken, made_up],
    )
    return ["## Classes", as_table(first), "## Confusion", as_table(second)]


def _mean(mean: Mapping[str, Any]) -> str:
    return f"**{mean['value']:.3f}**" if mean["n"] else "undefined"


def _figure(figure: Mapping[str, Any]) -> str:
    if not figure["n"]:
        return "undefined"
    return f"**{figure['value']:.3f}** ({figure['low']:.3f} – {figure['high']:.3f}, n = {figure['n']})"


def embedded(title: str, picture: bytes, room: int, side: int = SIDE) -> str:
    """Markdown of a picture and its title, of at most `room` bytes and so many pixels either way."""
    with Image.open(io.BytesIO(picture)) as image:
        pixels = np.asarray(image.convert("RGB"))
    while True:
        content = base64.b64encode(pictures.thumbnail(pixels, side)).decode()
        shown = f"## {title}\n\n![{title}](data:image/png;base64,{content})"
        if len(shown.encode()) + len("\n\n") <= room or side < 16:
            return shown
        side = side * 7 // 8
