"""The demo: microscope files drawn, or one's own, and then what a person would type."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flows.commands.init import initialise
from unet.dataset.folder import Dataset
from unet.dataset.record_file import read_record, set_values
from unet.evaluation.parts import headline_part
from unet.ledger.results import report_of
from unet.sources.stack_names import safe_name

DEMO_SETTINGS = {"train.steps": 600, "train.validate_every": 100}
SMALL_DEMO = {
    "train.steps": 120,
    "train.validate_every": 20,
    "train.learning_rate": 0.005,
    "train.batch_size": 2,
    "train.architecture.base": 4,
    "train.architecture.depth": 2,
    "train.tile_size": 128,
}


def demo(
    at: Path,
    small: bool,
    images: str | None,
    truth: str | None,
    say: Callable[[str], None],
    reprocess: Callable[[str], None],
) -> None:
    """Draw a small dataset, write it as microscope files, run every stage, and say where to look."""
    dataset = Dataset(str(at / ("dataset" if images is None else safe_name(Path(images).resolve().name))))
    _require_same(dataset, images)
    if not dataset.record.exists():
        for source in _sources(at, small, images, truth):
            say(f"$ unet-flows init {shlex.quote(dataset.url)} {_options(source)}")
            for line in initialise(dataset, source):
                say(line)
        if images is None:
            set_values(dataset, DEMO_SETTINGS | (SMALL_DEMO if small else {}))
    say(f"$ unet-flows reprocess {shlex.quote(dataset.url)}")
    reprocess(dataset.url)
    _say_figures(dataset, say)


def _require_same(dataset: Dataset, images: str | None) -> None:
    """Refuse to go on with a dataset that was made from other files."""
    if images is None or not dataset.record.exists():
        return
    made_from = [source.images for source in read_record(dataset).sources]
    if str(Path(images).resolve()) not in made_from:
        raise ValueError(f"{dataset.url} must be made from {images}, got {made_from[0]}; give --at another folder")


def _sources(at: Path, small: bool, images: str | None, truth: str | None) -> list[dict[str, Any]]:
    """Options of `init`, one call a source."""
    if images is not None:
        return [{"images": images, "truth": truth, "slices": None, "foreground": None}]
    from unet.images.synthetic import write_dataset

    files = at / "microscope"
    write_dataset(files, small)
    return [
        {"images": f"{files}/{kind}/image", "truth": f"{files}/{kind}/truth", "slices": slices, "foreground": "ids"}
        for kind, slices in (("stacks", None), ("slices", "z"))
    ]


def _options(source: dict[str, Any]) -> str:
    return " ".join(f"--{key} {shlex.quote(value)}" for key, value in source.items() if value is not None)


def _say_figures(dataset: Dataset, say: Callable[[str], None]) -> None:
    model = read_record(dataset).model
    metrics = report_of(dataset, model).attributes()
    part = headline_part(metrics)
    say(f"\nmeasured on the {part} part:" if part else "\nno truth to measure by: the report says what was found")
    for name, figure in metrics.get(part or "", {}).items():
        if figure["n"]:
            interval = f"{figure['low']:.3f} – {figure['high']:.3f}"
            say(f"  {name:22} {figure['value']:.3f}  ({interval}, n = {figure['n']} planes)")
    say(f"report: {dataset.report(model).url}/report.html")
    say(f"next:   unet-flows status {shlex.quote(dataset.url)}")
