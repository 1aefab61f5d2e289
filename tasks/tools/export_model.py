"""A model of the dataset → one file for other programs: a BioImage Model Zoo package, ONNX, or `torch.export`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.dataset.folder import Dataset, Folder, Json
from unet.dataset.record_file import read_record
from unet.images.grey_values import DIVIDE, FIXED, PERCENTILES, SOURCE
from unet.images.planes import Plane, planes
from unet.images.synthetic import draw_stack
from unet.images.windows import Window
from unet.ledger.found_settings import KEY
from unet.ledger.results import image_of, model_of, report_of
from unet.ledger.stamp import Stamp
from unet.network import bioimageio_description, bioimageio_package, model_files
from unet.network.exports import EXPORT_SUFFIXES, Form, legal_sizes, onnx_model, require_packages, torch_program
from unet.network.model_files import Model, channel_indices
from unet.settings.architecture import Architecture
from unet.settings.record import plain
from unet.settings.segment import AUTOMATIC
from unet.store import ome
from unet.store.arrays import open_array
from unet.training.split import PlaneRange


@dataclass(frozen=True)
class Signature:
    """Who made a model and who may use it; nothing of it is guessed."""

    licence: str | None = None
    """SPDX identifier, such as CC-BY-4.0."""
    authors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Example:
    """One plane that a file is checked on, and that a package shows."""

    pixels: NDArray[Any]
    """Grey values (channels, y, x), mirrored beyond the image's edges as prediction has them."""
    origin: str
    """Where it is from, in words."""
    ingest: Json
    """Settings its image was brought in with."""
    facts: Json
    """What is known of its image; empty where it was drawn."""


def export_model(
    dataset: Dataset, name: str, form: Form, to: str | None = None, signature: Signature | None = None
) -> str:
    """Write a model as `to`, or below its generation, with which it goes; says where. Nothing is overwritten.

    Raises:
        ImportError: a package that the form needs is missing.
        LookupError: there is no such model.
        ValueError: something is there already.
    """
    require_packages(form)
    model = model_files.load(dataset, name)
    model.network.eval()
    target = _target(dataset, name, form, to)
    if target.exists():
        raise ValueError(f"an export must go where nothing is, got {target.url}; remove it, or choose another --to")
    target.write(_content(dataset, name, model, form, signature or Signature()))
    return target.url


def _target(dataset: Dataset, name: str, form: Form, to: str | None) -> Folder:
    file = f"{name}{EXPORT_SUFFIXES[form]}"
    if to is None:
        result = model_of(dataset, name)
        return result.folder / result.committed().generation / "exports" / file
    place = Folder(to)
    return place / file if place.is_local and Path(to).is_dir() else place


def _content(dataset: Dataset, name: str, model: Model, form: Form, signature: Signature) -> bytes:
    metadata, architecture = model_of(dataset, name).attributes(), model.network.architecture
    example = example_of(dataset, metadata, model)
    about = _about(name, metadata, model, example.ingest)
    if form == "bioimageio":
        return bioimageio_package.package(
            model.network, example.pixels, _described(dataset, about, metadata, example, signature)
        )
    image = bioimageio_description.scaled(example.pixels.astype(np.float32)[None], about["normalisation"])
    write = onnx_model if form == "onnx" else torch_program
    return write(model.network, architecture, image, {**about, "scores": "before softmax over the classes"})


def example_of(dataset: Dataset, metadata: Json, model: Model) -> Example:
    """A plane of the validation part; else of a stack that has the model's channels; else a drawn one."""
    architecture, own = model.network.architecture, _split(metadata)
    for part in [*own, *(PlaneRange(name, 0, 1, "validation") for name in dataset.stacks())]:
        image = image_of(dataset, part.stack)
        stamp = image.stamp()
        if stamp is None or not _has(stamp.facts["channels"], model.channels):
            continue
        channels = channel_indices(model.channels, stamp.facts["channels"], part.stack)
        array = open_array(ome.full_level(image))
        index = (part.start + part.stop) // 2
        pixels = _middle(planes(array, stamp.facts["axes"], channels)[index], architecture)
        origin = f"the middle of plane {index} of {part.stack}" + (f", {part.use} part" if part in own else "")
        return Example(pixels, origin, stamp.recipe.settings, stamp.facts)
    drawn = Plane(draw_stack(planes=1, side=bioimageio_package.EXAMPLE, seed=0)[0], ((0,),) * architecture.in_channels)
    ingest = plain(read_record(dataset).ingest)
    return Example(_middle(drawn, architecture), "drawn, as no image was at hand", ingest, {})


def _split(metadata: Json) -> list[PlaneRange]:
    """The model's split, what was kept out of training first; none of an imported model."""
    parts = (PlaneRange(**part) for part in metadata.get("split", []))
    return sorted((part for part in parts if part.use != "gap"), key=lambda part: part.use == "training")


def _has(present: list[str], wanted: tuple[str, ...]) -> bool:
    return len(present) == len(wanted) == 1 or set(wanted) <= set(present)


def _middle(plane: Plane, architecture: Architecture) -> NDArray[Any]:
    """The middle of a plane, with the network's context around it; pixels that are not finite are 0.

    The formats have no word for those, and one would spread over the scores that a file is checked by.
    """
    whole = plane.window
    side = bioimageio_package.example_side(architecture, whole.height, whole.width)
    pixels = plane.read(Window((whole.height - side) // 2, (whole.width - side) // 2, side, side))
    return np.where(np.isfinite(pixels), pixels, np.zeros((), pixels.dtype))


def _about(name: str, metadata: Json, model: Model, ingest: Json) -> Json:
    """What a program must know to use the file."""
    architecture = model.network.architecture
    rule = exported_rule(model, ingest)
    names = metadata.get("classes", [])
    classes = names if len(names) == architecture.classes else [f"class {k}" for k in range(architecture.classes)]
    found = metadata.get(KEY) or {}
    return {
        "model": name,
        "generation": metadata["unet-flows"]["generation"],
        "architecture": asdict(architecture),
        "channels": list(model.channels),
        "classes": classes,
        "normalisation": rule,
        "sizes": legal_sizes(architecture)._asdict(),
        "context": architecture.context,
        **({KEY: _numbers(found)} if found else {}),
    }


def _numbers(found: Json) -> Json:
    """The settings of segment that were found, of each class too where there are several."""
    numbers: Json = {setting: found[setting] for setting in AUTOMATIC if setting in found}
    by_class = {name: _numbers(own) for name, own in found.get("by_class", {}).items()}
    return numbers | ({"by_class": by_class} if by_class else {})


def exported_rule(model: Model, ingest: Json) -> Json:
    """A model's rule of normalisation as far as the formats can say it: percentiles, two grey values, or a divisor."""
    rule = model.normalisation
    clip = {"clip": rule["clip"]} if "clip" in rule else {}
    if rule["rule"] == DIVIDE:
        return dict(rule)
    if rule["rule"] in {FIXED, SOURCE}:
        ranges = rule.get("pooled") or [[rule["low"], rule["high"]]] * len(model.channels)
        return {"rule": FIXED, "ranges": ranges, **clip}
    return {"rule": PERCENTILES, "low": ingest["percentile_low"], "high": ingest["percentile_high"], **clip}


def _described(
    dataset: Dataset, about: Json, metadata: Json, example: Example, signature: Signature
) -> bioimageio_description.Described:
    name, rule = about["model"], about["normalisation"]
    report = report_of(dataset, name).attributes()
    current = report.get("digests", {}).get("model") == model_of(dataset, name).committed().identity
    validation = report.get("validation", {}) if current else {}
    facts = {**_facts(metadata, example), "Licence": signature.licence or "none was given; ask who made it"}
    return bioimageio_description.Described(
        name,
        tuple(about["channels"]),
        tuple(about["classes"]),
        rule,
        bioimageio_package.readme(name, rule, facts, validation, example.origin, tuple(about["classes"][1:])),
        about,
        signature.licence,
        signature.authors,
    )


def _facts(metadata: Json, example: Example) -> dict[str, str]:
    """What a person should know of how a model was made."""
    stamp = Stamp.of(metadata["unet-flows"])
    settings, made = stamp.recipe.settings, stamp.made
    words = {"Network": ", ".join(f"{key} {value}" for key, value in metadata["architecture"].items()), "Made": made}
    if metadata.get("came_from"):
        words["Brought in from"] = Folder(metadata["came_from"]).name  # not its path: packages are given away
    if metadata.get("split"):
        words["Data"] = _data(_split(metadata))
    if "steps" in settings:
        amount = f"{settings['steps']} steps of {settings['optimiser']}, {settings['batch_size']} samples each"
        words["Training"] = f"{amount}; kept is step {metadata['best_step']}"
    spacing, units = example.facts.get("spacing", {}), example.facts.get("units", {})
    if spacing:
        words["Pixels"] = ", ".join(f"{axis} {size:g} {units[axis]}" for axis, size in spacing.items())
    return words


def _data(parts: list[PlaneRange]) -> str:
    """Stacks and planes of each use.

    >>> _data([PlaneRange("c", 0, 4, "validation"), PlaneRange("a", 0, 2, "training")])
    'training 1 stack (2 planes), validation 1 stack (4 planes)'
    """
    words = []
    tested = {part.use for part in parts} & {"test"}
    for use in ("training", "validation", *tested):
        mine = [part for part in parts if part.use == use]
        stacks, count = len({part.stack for part in mine}), sum(part.stop - part.start for part in mine)
        words.append(f"{use} {stacks} stack{'s' * (stacks != 1)} ({count} plane{'s' * (count != 1)})")
    return ", ".join(words)
