"""A committed report, or model → an artifact in the Prefect UI, so that a run shows what it led to.

The pictures go along as data URLs, small: artifacts live in the server's database. The page of the report stays where
it is; its path is shown.
"""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext, TaskRunContext

from unet import pictures
from unet.folder import Dataset, Folder
from unet.ledger import model_of, report_of

PICTURES = ("best", "median", "worst", "training")
"""Names of the pictures that are shown of a report, where it has them."""
OF_TRAINING = ("training", "samples")
"""Names of the pictures that are shown of a training."""
LEGEND = "Planes by average precision; outlines orange: segments, blue: truth, white: both."
BYTES = 300_000
"""Largest artifact; the pictures share what the words leave."""
SIDE = 480
"""Pixels of the longer side of a picture, less where it would take more than its share."""

Figures = Mapping[str, Mapping[str, Any]]


def publish_report(dataset: Dataset, model: str) -> None:
    """Show a model's committed report in the Prefect UI; nothing happens outside a run, or where there is no report."""
    if _in_run() and report_of(dataset, model).stamp() is not None:
        create_markdown_artifact(
            as_markdown(dataset, model), key=f"report-{slug(model)}", description=f"Report on {model}"
        )


def publish_training(dataset: Dataset, model: str) -> None:
    """Show how a model was trained, its curve and its first samples, in the Prefect UI; nothing outside a run."""
    result = model_of(dataset, model)
    if _in_run() and result.stamp() is not None:
        words = [f"# Training of {model}", f"The best parameters are those of step {result.attributes()['best_step']}."]
        folder = result.folder / result.committed().generation
        create_markdown_artifact(
            "\n\n".join([*words, *_shown(folder, OF_TRAINING, BYTES - 1000)]),
            key=f"training-{slug(model)}",
            description=f"Training of {model}",
        )


def _in_run() -> bool:
    return TaskRunContext.get() is not None or FlowRunContext.get() is not None


def as_markdown(dataset: Dataset, model: str) -> str:
    """The report as one page of at most 300 kB: figures, where the whole report lies, pictures."""
    report = report_of(dataset, model)
    folder, card = report.folder / report.committed().generation, report.attributes()
    page = report.folder / "report.html"
    where = Path(page.url).resolve() if page.is_local else page.url
    words = [f"# Report on {model}", f"The whole report: `{where}`", f"Made {card['made']}."]
    words += [_table({part: card[part] for part in ("validation", "training") if part in card}), LEGEND]
    return "\n\n".join(words + _shown(folder, PICTURES, BYTES - len("\n\n".join(words).encode())))


def _shown(folder: Folder, names: Sequence[str], room: int) -> list[str]:
    """Pictures of a folder within a page, where they are there, that share so many bytes."""
    urls = {name: _data_url(folder / f"{name}.png", room // len(names)) for name in names}
    return [f"## {name}\n\n![{name}]({url})" for name, url in urls.items() if url]


def slug(name: str) -> str:
    """A name as the key of an artifact: lower case, digits, dashes.

    >>> slug("U-Net_v2")
    'u-net-v2'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _table(parts: Mapping[str, Figures]) -> str:
    """Metrics by parts of the data; each figure with its interval and the planes it was measured on."""
    if not parts:
        return "Nothing was there to compare with."
    rows = [("metric", *parts), ("---", *("---" for _ in parts))]
    rows += [(name, *(_figure(parts[part][name]) for part in parts)) for name in next(iter(parts.values()))]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _figure(figure: Mapping[str, Any]) -> str:
    if not figure["n"]:
        return "undefined"
    return f"**{figure['value']:.3f}** ({figure['low']:.3f} – {figure['high']:.3f}, n = {figure['n']})"


def _data_url(file: Folder, room: int) -> str | None:
    """A picture within a page, in at most `room` bytes; None where there is no such file."""
    content = file.read()
    if content is None:
        return None
    with Image.open(io.BytesIO(content)) as image:
        pixels, side = np.asarray(image.convert("RGB")), SIDE
    while True:
        url = f"data:image/png;base64,{base64.b64encode(pictures.thumbnail(pixels, side)).decode()}"
        if len(url) <= room - len("## \n\n![]()\n\n") - 2 * len(max(PICTURES + OF_TRAINING, key=len)):
            return url
        side = side * 3 // 4
