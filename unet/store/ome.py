"""OME-Zarr 0.5 metadata of images and labels, as plain values for a group's metadata file.

Own lines rather than a writer library's: that file carries our stamp too, and must be put in one act. Tests validate
what is written by ome-zarr-models.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from unet.dataset.folder import Folder, Json
from unet.images.channel_statistics import Statistics, own_range
from unet.ledger.generations import Generation, Result
from unet.settings.classes import class_colour
from unet.store.shards import Level

VERSION = "0.5"
AXIS_TYPES = {"t": "time", "c": "channel"}


def multiscales(
    generation: Generation,
    name: str,
    axes: str,
    levels: Sequence[Level],
    spacing: Mapping[str, float],
    units: Mapping[str, str],
) -> list[Json]:
    """The `multiscales` list of one pyramid, of which each level lies where the generation says.

    Pixel sizes that are unknown are 1, without a unit, as the format asks for a number.

    Args:
        generation: what the levels are of.
        name: what viewers call the layer: the stack for an image, who drew them for labels.
        axes: names of the axes.
        levels: as `unet.store.pyramid` made them.
        spacing: size of a pixel by axis, where it is known.
        units: its unit, as the format names it.
    """
    described = [_axis(axis, units) for axis in axes]
    datasets = [
        {
            "path": generation.level(number).name,
            "coordinateTransformations": _transformations(axes, number, level, spacing),
        }
        for number, level in enumerate(levels)
    ]
    return [{"name": name, "axes": described, "datasets": datasets}]


def resized(attributes: Json, spacing: Mapping[str, float], units: Mapping[str, str]) -> Json:
    """Attributes of the same pyramid of which pixels have other sizes.

    >>> step = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1.0, 1.0]}]}
    >>> axes = [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    >>> now = resized({"ome": {"multiscales": [{"axes": axes, "datasets": [step]}]}}, {"y": 0.5, "x": 0.25}, {})
    >>> now["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    [{'type': 'scale', 'scale': [0.5, 0.25]}]
    """
    (pyramid, *others), axes = attributes["ome"]["multiscales"], axes_of(attributes)
    before = pyramid["datasets"][0]["coordinateTransformations"][0]["scale"]
    sizes = [(size, spacing.get(axis, 1.0)) for axis, size in zip(axes, before, strict=True)]
    datasets = [
        {**level, "coordinateTransformations": [_of_sizes(each, sizes) for each in level["coordinateTransformations"]]}
        for level in pyramid["datasets"]
    ]
    now = {**pyramid, "axes": [_axis(axis, units) for axis in axes], "datasets": datasets}
    return {**attributes, "ome": {**attributes["ome"], "multiscales": [now, *others]}}


def _of_sizes(transformation: Json, sizes: Sequence[tuple[float, float]]) -> Json:
    """A transformation, of pixels of other sizes: by each axis before and now."""
    kind = transformation["type"]
    values = zip(transformation[kind], sizes, strict=True)
    return {**transformation, kind: [value / before * now for value, (before, now) in values]}


def score_channels(names: Sequence[str], dtype: str) -> Json:
    """How viewers show the scores of some classes: by name, each in its colour, from black to certain."""
    full = 255 if dtype == "uint8" else 1
    window = {"start": 0, "end": full, "min": 0, "max": full}
    shown = [
        {"label": name, "color": class_colour(number)[1:], "window": window} for number, name in enumerate(names, 1)
    ]
    return {"omero": {"channels": shown}}


def image_attributes(
    pyramid: list[Json], channels: Sequence[str], statistics: Sequence[Statistics], colours: Sequence[str]
) -> Json:
    """Attributes of an image's group: its pyramid, and how a viewer should show each channel; colours as RRGGBB."""
    shown = [
        {"label": name, "color": colour, "window": _window(known)}
        for name, known, colour in zip(channels, statistics, colours, strict=True)
    ]
    return {"ome": {"version": VERSION, "multiscales": pyramid, "omero": {"channels": shown}}}


def _window(known: Statistics) -> dict[str, float]:
    """The grey values that a viewer shows from black to full; of a channel that is not constant they are two.

    Not the percentiles alone: of a few cells on zeros both are 0, and viewers would show nothing.
    """
    own = own_range(known)
    start, end = (own.low, own.high) if own.high > own.low else (known.min, known.max)
    return {"start": start, "end": end, "min": known.min, "max": known.max}


MOST_DESCRIBED = 2_000
"""Ids of labels that are described one by one; more would make every plan read megabytes."""


def label_attributes(
    pyramid: list[Json], ids: Sequence[int] = (), classes: Sequence[int] = (), names: Sequence[str] = ()
) -> Json:
    """Attributes of one label's group: its pyramid, and the image it belongs to.

    Labels with classes have the class of each id as a property, and its colour; of too many ids neither. Others have no
    `colors`: viewers colour ids by themselves, and where some ids have a colour they show those alone. And no other
    `properties`: the tables have them, and this file is read for each stack in each plan.

    Args:
        pyramid: its levels.
        ids: ids that have a class.
        classes: of each of them its class, from 1 on.
        names: names of the classes: the first is class 1.

    >>> label_attributes([], [7], [2], ["nucleus", "mitosis"])["ome"]["image-label"]["properties"]
    [{'label-value': 7, 'class': 'mitosis'}]
    """
    described: Json = {"version": VERSION, "source": {"image": "../../"}}
    if names and len(ids) <= MOST_DESCRIBED:
        each = list(zip(map(int, ids), map(int, classes), strict=True))
        described["colors"] = [{"label-value": value, "rgba": [*_rgb(number), 255]} for value, number in each]
        described["properties"] = [{"label-value": value, "class": names[number - 1]} for value, number in each]
    return {"ome": {"version": VERSION, "multiscales": pyramid, "image-label": described}}


def _rgb(number: int) -> tuple[int, ...]:
    return tuple(bytes.fromhex(class_colour(number).removeprefix("#")))


def list_label(labels: Folder, name: str = "") -> None:
    """Write `name` into the list of an image's labels, just before its own metadata file is put.

    In this order a kill in between leaves a name without a label, which the next run mends; in the other a label that
    no viewer finds.
    """
    listed = {n for n in labels.names() if (labels / n / "zarr.json").exists()} | {name} - {""}
    attributes = {"ome": {"version": VERSION, "labels": sorted(listed)}}
    (labels / "zarr.json").write_json({"zarr_format": 3, "node_type": "group", "attributes": attributes})


def full_level(result: Result) -> Folder:
    """Folder of the full level of a committed image or label."""
    return result.folder / first_level(result.attributes())


def first_level(attributes: Json) -> str:
    """Path of an image's full level; LookupError where the metadata describes no image."""
    try:
        return str(attributes["ome"]["multiscales"][0]["datasets"][0]["path"])
    except (KeyError, IndexError) as error:
        raise LookupError("an OME-Zarr group must have multiscales, got none; run `unet-flows ingest`") from error


def axes_of(attributes: Json) -> str:
    """Names of an image's axes, in order."""
    return "".join(axis["name"] for axis in attributes["ome"]["multiscales"][0]["axes"])


def _axis(axis: str, units: Mapping[str, str]) -> dict[str, str]:
    unit = {"unit": units[axis]} if axis in units else {}
    return {"name": axis, "type": AXIS_TYPES.get(axis, "space"), **unit}


def _transformations(axes: str, number: int, level: Level, spacing: Mapping[str, float]) -> list[dict[str, Any]]:
    """Pixel sizes of a level, and where the middle of its first pixel lies."""
    first = dict(zip("yx", level.first, strict=True))
    size = [spacing.get(axis, 1.0) for axis in axes]
    scale = [s * 2**number if axis in first else s for s, axis in zip(size, axes, strict=True)]
    shift = [s * first.get(axis, 0) for s, axis in zip(size, axes, strict=True)]
    described: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
    return [*described, {"type": "translation", "translation": shift}] if number else described
