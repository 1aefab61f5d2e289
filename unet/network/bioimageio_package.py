"""A model as a package of the BioImage Model Zoo (bioimage.io, format 0.5): what Fiji, ilastik and others read.

Weights are there twice, as TorchScript and as ONNX, with softmax in them; either runs without this project. The
network's context is declared as halo of its output, and mirrored edges as its padding, so that a consumer that follows
the format gives our scores, tile by tile. A network whose tiles never agree is declared with one size.

Normalisation is declared as percentiles over y and x of one sample, which differ from `statistics` twice: a percentile
between two grey values that occur is interpolated, by less than their distance; and every plane of a stack has its own.
What `grey_values` does for sparse images and empty wells the format has no words for.
Rejected: the format's percentiles of a data set, which are means of those of its samples.
"""

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from ruamel.yaml import YAML

from unet.dataset.folder import Json
from unet.images.grey_values import DIVIDE, FIXED
from unet.labels.connected import connected_segments
from unet.labels.scores import largest_class
from unet.network.bioimageio_description import DOI, PAPER, Described, description, scaled, told
from unet.network.exports import onnx_model, torchscript, with_softmax
from unet.network.tiles import FIXED_SIDE
from unet.network.unet import UNet
from unet.reports import pictures
from unet.settings.architecture import Architecture

EXAMPLE = 256
"""Pixels of the example's side that the network's scores are exact for, at most."""


def example_side(architecture: Architecture, height: int, width: int) -> int:
    """Legal side in pixels of an example from an image of this size; it covers no more than the image.

    Networks that are not tileable have one size, that of their tiles here, whatever the image.

    >>> example_side(Architecture(padding="same"), 512, 300), example_side(Architecture(), 40, 60)
    (448, 220)
    """
    if not architecture.tileable:
        return architecture.input_size(FIXED_SIDE)
    covered = min(height, width, EXAMPLE) // architecture.multiple * architecture.multiple
    return architecture.input_size(max(covered, architecture.multiple))


def package(network: UNet, pixels: NDArray[Any], described: Described) -> bytes:
    """The package, a zip: weights, test tensors, cover and README, checked against the format before it is handed out.

    Args:
        network: in evaluation mode, on the CPU.
        pixels: grey values (channels, y, x) of an example, its sides legal for the network; see `example_side`.
        described: what else there is to say.
    """
    _require_valid(described)
    architecture, module = network.architecture, with_softmax(network)
    image = pixels.astype(np.float32)[None]
    normalised = scaled(image, described.normalisation)
    with torch.no_grad():
        scores = module(torch.from_numpy(normalised)).numpy()
    with TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "test_input.npy", image)
        np.save(folder / "test_output.npy", scores)
        (folder / "cover.png").write_bytes(cover(image[0, 0], scores[0], architecture))
        (folder / "README.md").write_text(described.documentation, "utf-8")
        (folder / "weights.pt").write_bytes(torchscript(module, architecture, normalised))
        (folder / "weights.onnx").write_bytes(onnx_model(module, architecture, normalised, described.about))
        return _zipped(folder, description(architecture, described, image.shape[-1]))


def cover(plane: NDArray[Any], scores: NDArray[Any], architecture: Architecture) -> bytes:
    """PNG of the example's middle, where scores are exact, with the segments of its scores (classes, y, x) outlined."""
    inner = slice(architecture.context, plane.shape[-1] - architecture.context)
    lost = (plane.shape[-1] - scores.shape[-1]) // 2
    written = slice(inner.start - lost, inner.stop - lost)
    own = scores[:, written, written]
    segments, shown = connected_segments(own[0] <= 0.5, min_size=16), plane[inner, inner]
    if len(own) > len(("background", "object")):
        numbers = np.where(segments > 0, 1 + largest_class(own[1:]), 0)
        return pictures.thumbnail(pictures.class_outlines(shown, numbers, numbers))
    return pictures.thumbnail(pictures.outlines(shown, segments))


def readme(  # all that there is to say
    title: str,
    rule: Json,
    facts: Mapping[str, str],
    validation: Mapping[str, Json],
    origin: str,
    classes: Sequence[str] = (),
) -> str:
    """README of a package: what the model is, how to feed it, what it was trained on, how good it is.

    Args:
        title: the model's name.
        rule: its normalisation, as `Described` has it.
        facts: words by what they are about, a line each.
        validation: metrics of the validation part by name, each with value, low, high and n.
        origin: what the test input was taken from.
        classes: names of the classes of objects.
    """
    figures = [
        f"- {name}: {f['value']:.3f} ({f['low']:.3f} – {f['high']:.3f}, n = {f['n']} planes)"
        for name, f in validation.items()
        if f["n"]
    ]
    lines = [f"# {title}", f"A {told(classes)}"]
    lines += ["## How it was made", *(f"- {name}: {words}" for name, words in facts.items())]
    lines += ["## Use", _feeding(rule), SCORES_BY_CLASS if len(classes) > 1 else SCORES, f"The test input is {origin}."]
    lines += ["## Validation", *(figures or ["Nothing was kept for validation, or it was not evaluated."]), VALIDATE]
    return "\n\n".join([*lines, f"Source: {PAPER}, doi:{DOI}."]).replace("\n\n- ", "\n- ") + "\n"


def _feeding(rule: Json) -> str:
    if rule["rule"] == DIVIDE:
        return f"Give grey values of 0 to {rule['by']}, by which they are divided."
    if rule["rule"] == FIXED:
        words = ", ".join(f"{low:g} to {high:g}" for low, high in rule["ranges"])
        return f"Give the microscope's grey values, of which {words} (by channel) become 0 to 1."
    return (
        f"Give whole planes in the microscope's grey values, not tiles: percentiles {rule['low']:g} and "
        f"{rule['high']:g} of each channel become 0 and 1, and those of a tile are others. In training, all planes of "
        "a stack had the percentiles of the whole stack, and what stood out far beyond the upper one became 1 instead."
    )


SCORES = "Scores are probabilities; segments are the connected pixels where that of background is at most 0.5."
SCORES_BY_CLASS = (
    "Scores are probabilities; segments of a class are the connected pixels where its score is the largest of all "
    "objects' and that of background is at most 0.5."
)
VALIDATE = (
    "On images of your own, compare the segments with objects that people drew, by average precision and by the SEG "
    "measure of the Cell Tracking Challenge, and look at the worst planes."
)


def _require_valid(described: Described) -> None:
    """Refuse a licence or an author that the format does not allow."""
    from bioimageio.spec.generic.v0_3 import LicenseId

    try:
        LicenseId(described.licence or "MIT")
    except ValueError as error:
        raise ValueError(
            f"a licence must be an SPDX identifier, such as CC-BY-4.0, got {described.licence!r}"
        ) from error
    for name in described.authors:
        if not name or "/" in name or "\\" in name:
            raise ValueError(f"an author must be a name without slashes, got {name!r}; give --author once for each")


def _zipped(folder: Path, content: Json) -> bytes:
    """The files of a folder as a package; AssertionError if the format refuses our description."""
    from bioimageio.spec import InvalidDescr, ValidationContext, build_description, dump_description

    with ValidationContext(root=folder), warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves files to be closed by the garbage collector
        described = build_description(content)
    assert not isinstance(described, InvalidDescr), described.get_reason()
    YAML(typ="safe").dump(dump_description(described), folder / "bioimageio.yaml")
    target = io.BytesIO()
    with ZipFile(target, "w", ZIP_DEFLATED) as file:
        for path in sorted(folder.iterdir()):
            file.write(path, path.name)
    return target.getvalue()
