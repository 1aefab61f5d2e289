"""What a package says of itself: the `bioimageio.yaml` of a model, as plain values (bioimage.io, format 0.5)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from unet.dataset.folder import Json
from unet.images.grey_values import DIVIDE, FIXED
from unet.network.exports import OPSET
from unet.settings.architecture import Architecture

PAPER = "Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image Segmentation. MICCAI 2015"
DOI = "10.1007/978-3-319-24574-4_28"
TAGS = ["2d", "unet", "pytorch", "semantic-segmentation", "instance-segmentation", "other"]
EPSILON = 1e-6
"""What the format adds to the span of grey values, so that a constant channel divides by something."""


@dataclass(frozen=True)
class Described:
    """Facts that a package tells about a model, besides its network."""

    name: str
    channels: tuple[str, ...]
    """Names of the image's channels."""
    classes: tuple[str, ...]
    """Names of the classes, background first."""
    normalisation: Json
    """How grey values are mapped: `{"rule": "percentiles", "low": 1, "high": 99.8, "clip": [-1, 3]}`, by a stack's
    percentiles; `{"rule": "fixed", "ranges": [[90, 900]], "clip": [-1, 3]}`, of each channel; or `{"rule": "divide",
    "by": 255}`."""
    documentation: str
    """README in Markdown."""
    about: Json
    """Plain values that go along, for programs."""
    licence: str | None = None
    """SPDX identifier, such as CC-BY-4.0; without one nobody may use the model but its owner."""
    authors: tuple[str, ...] = ()


def description(architecture: Architecture, described: Described, side: int) -> Json:
    """Content of the package's `bioimageio.yaml`; an example of `side` pixels goes along."""
    return {
        "type": "model",
        "format_version": "0.5.12",
        "name": f"unet-flows {described.name}",
        "description": told(described.classes[1:]),
        "authors": [{"name": name} for name in described.authors],
        "cite": [{"text": PAPER, "doi": DOI}],
        "license": described.licence,
        "documentation": {"source": "README.md"},
        "covers": [{"source": "cover.png"}],
        "tags": TAGS,
        "inputs": [_input(architecture, described, side)],
        "outputs": [_output(architecture, described)],
        "weights": {
            "torchscript": {"source": "weights.pt", "pytorch_version": torch.__version__.partition("+")[0]},
            "onnx": {"source": "weights.onnx", "opset_version": OPSET, "parent": "torchscript"},
        },
        "config": {"unet_flows": described.about},
    }


def told(classes: Sequence[str]) -> str:
    """What a model of these classes of objects does, in a sentence.

    >>> told(["nucleus", "mitosis"])
    'U-Net that tells nucleus, mitosis from background in 2-D microscopy images.'
    """
    what = ", ".join(classes) if len(classes) > 1 else "objects"
    return f"U-Net that tells {what} from background in 2-D microscopy images."


def _input(architecture: Architecture, described: Described, side: int) -> Json:
    sizes = {"min": architecture.input_size(architecture.multiple), "step": architecture.multiple}
    size = sizes if architecture.tileable else side
    tiled = architecture.padding == "same"  # the format's reader parts images where there is a halo alone
    return {
        "id": "image",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "channel_names": list(described.channels)},
            *({"type": "space", "id": axis, "size": size, "concatenable": tiled} for axis in "yx"),
        ],
        "data": {"type": "float32"},
        "pad": {"mode": "reflect"},
        "test_tensor": {"source": "test_input.npy"},
        "preprocessing": preprocessing(described.normalisation),
    }


def _output(architecture: Architecture, described: Described) -> Json:
    """Description of the scores; of a padded network the context is declared as halo, and a reader drops it."""
    padded = architecture.padding == "same"
    halo = {"halo": architecture.context} if padded else {}
    image = {"tensor_id": "image", "offset": 0 if padded else -2 * architecture.context}
    return {
        "id": "scores",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "channel_names": list(described.classes)},
            *({"type": "space", "id": axis, "size": {**image, "axis_id": axis}, **halo} for axis in "yx"),
        ],
        "data": {"type": "float32", "range": [0.0, 1.0]},
        "test_tensor": {"source": "test_output.npy"},
    }


def preprocessing(rule: Json) -> list[Json]:
    """A rule of normalisation in the words of the format."""
    if rule["rule"] == DIVIDE:
        return [{"id": "scale_linear", "kwargs": {"gain": 1 / rule["by"], "offset": 0.0}}]
    limits = {"min": rule["clip"][0], "max": rule["clip"][1]} if "clip" in rule else {}
    clipped = [{"id": "clip", "kwargs": limits}] if limits else []
    if rule["rule"] == FIXED:
        gains = [1 / (high - low) for low, high in rule["ranges"]]
        offsets = [-low * gain for (low, _), gain in zip(rule["ranges"], gains, strict=True)]
        return [{"id": "scale_linear", "kwargs": {"axis": "channel", "gain": gains, "offset": offsets}}, *clipped]
    percentiles = {"min_percentile": rule["low"], "max_percentile": rule["high"]}
    return [{"id": "scale_range", "kwargs": {"axes": ["y", "x"], **percentiles, "eps": EPSILON}}, *clipped]


def scaled(pixels: NDArray[np.float32], rule: Json) -> NDArray[np.float32]:
    """Grey values (n, channels, y, x) as `preprocessing` has them.

    >>> scaled(np.array([[[[0, 10, 20]]]], np.float32), {"rule": "percentiles", "low": 0, "high": 50}).round(3).tolist()
    [[[[0.0, 1.0, 2.0]]]]
    """
    if rule["rule"] == DIVIDE:
        return pixels * np.float32(1 / rule["by"])
    clip = rule.get("clip", (-np.inf, np.inf))
    if rule["rule"] == FIXED:
        lows, highs = np.moveaxis(np.array(rule["ranges"])[:, :, None, None], 1, 0)
        return np.asarray(np.clip((pixels - lows) / (highs - lows), *clip), np.float32)
    low, high = np.percentile(pixels, (rule["low"], rule["high"]), axis=(-2, -1), keepdims=True)
    return np.asarray(np.clip((pixels - low) / (high - low + EPSILON), *clip), np.float32)
