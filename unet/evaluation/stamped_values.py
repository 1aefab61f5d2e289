"""What the stamps of a dataset tell of each stack, and of the stacks that a model was trained on; for `drift`.

Of a model of elsewhere the training stacks are not here: its model.json has their ranges. What was made before a number
was measured lacks it, and is not made again for it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from unet.dataset.folder import Dataset, Json
from unet.evaluation.drift import DriftRow, Measured, TrainingRange, compare, training_ranges
from unet.images.channel_statistics import LEAST_NOISE, Statistics, noise_in, own_range
from unet.images.units import UNITS
from unet.ledger.results import image_of, labels_of, model_of, weights_of

RANGES = "training_ranges"
"""Key of model.json."""
SIZES = {
    (2, True): ("µm²", "mm²", 1e6),
    (2, False): ("px", "megapixel", 1e6),
    (3, True): ("µm³", "mm³", 1e9),
    (3, False): ("voxels", "megavoxel", 1e6),
}
"""Dimensions of objects, and whether pixel sizes are known → units of size and of area, and how many are in one."""
OF_SIZE, OF_CERTAINTY = 1.0, 0.2
"""What chance does to the middle of one object's size, as a logarithm, and of its score; of more by their root."""


def image_values(facts: Mapping[str, Any], channels: Sequence[str] = ()) -> dict[str, Measured]:
    """What a stack's image tells of each of a model's channels; of all where none are named."""
    names, values = list(facts["channels"]), dict[str, Measured]()
    wanted = [*channels] or names
    details = facts.get("detail") or [None] * len(names)
    for channel in wanted:
        place = 0 if len(wanted) == len(names) == 1 else names.index(channel)
        of = f" of {channel}" if len(wanted) > 1 else ""
        found = _channel_values(Statistics(**facts["statistics"][place]), details[place])
        values |= {f"{what}{of}": measured for what, measured in found.items()}
    return values


def _channel_values(known: Statistics, detail: Mapping[str, float] | None) -> dict[str, Measured]:
    """What one channel tells; of a constant one that it is so."""
    of = own_range(known)
    span = of.high - of.low
    values = {"grey spread": Measured("grey spread", span)}
    if span <= 0:
        return values
    values["grey level"] = Measured("grey level", of.low, scale=span)
    if known.background >= known.min:
        chance = (detail or {}).get("mean_error", 0.0) / span
        values["grey balance"] = Measured("grey balance", (known.background - of.low) / span, chance)
    values["noise"] = Measured("noise", max(noise_in(known, span), LEAST_NOISE))
    if detail:
        values["sharpness"] = Measured("sharpness", detail["sharpness"], detail["sharpness_error"])
        values["polarity"] = Measured("polarity", detail["polarity"], detail["polarity_error"])
    return values


def object_values(
    image: Mapping[str, Any], dimensions: int, count: int, size: float | None, certainty: float | None = None
) -> dict[str, Measured]:
    """What the objects of a stack tell: how many there are, and how large and how certain the middle one is.

    Args:
        image: facts of the stack's image.
        dimensions: of objects, 2 or 3.
        count: objects, of all planes.
        size: of the middle one, in pixels.
        certainty: its score, between 0 and 1.
    """
    pixel = _pixel_size(image, dimensions)
    unit, per, many = SIZES[dimensions, pixel is not None]
    area = math.prod(n for axis, n in zip(image["axes"], image["shape"], strict=True) if axis != "c") * (pixel or 1.0)
    chance = 1 / math.sqrt(count + 1)
    density = max(count, 0.5) / area * many  # none is as half of one: there may be some beyond the edge
    values = {f"objects per {per}": Measured("objects", density, chance)}
    if count and size:
        values[f"object size in {unit}"] = Measured("object size", size * (pixel or 1.0), OF_SIZE * chance)
    if count and certainty is not None:
        values["certainty"] = Measured("certainty", certainty, OF_CERTAINTY * chance)
    return values


def _pixel_size(image: Mapping[str, Any], dimensions: int) -> float | None:
    """Area or volume of a pixel in µm² or µm³; None where a side is not known."""
    sides = list[float]()
    for axis in "zyx"[-dimensions:]:
        unit = UNITS.get(image["units"].get(axis, ""))
        if axis not in image["spacing"] or unit is None or unit.metres is None:
            return None
        sides.append(image["spacing"][axis] * unit.metres * 1e6)
    return math.prod(sides)


def stack_values(dataset: Dataset, name: str, channels: Sequence[str], model: str | None = None) -> dict[str, Measured]:
    """What the stamps tell of a stack's image; of the segments that a model made of it too, if one is named."""
    image, values = image_of(dataset, name).known_stamp(), dict[str, Measured]()
    if image is None:
        return values
    with suppress(ValueError, TypeError, KeyError):  # damaged, or without the model's channels: others tell of that
        values |= image_values(image.facts, channels)
    segments = labels_of(dataset, name, model).known_stamp() if model else None
    if segments is not None and "median_size" in segments.facts:
        told = segments.facts
        with suppress(ValueError, TypeError, KeyError):
            values |= object_values(
                image.facts, told["dimensions"], told["count"], told["median_size"], told.get("certainty")
            )
    return values


def truth_values(dataset: Dataset, name: str) -> dict[str, Measured]:
    """What the objects that people drew in a stack tell, as weigh counted them."""
    weights, image = weights_of(dataset, name).known_stamp(), image_of(dataset, name).known_stamp()
    if weights is None or image is None or not weights.facts.get("truth", {}).get("objects"):
        return {}
    found, dimensions = weights.facts["truth"], weights.recipe.settings.get("dimensions", 2)
    return object_values(image.facts, dimensions, found["objects"], _middle_size(found))


def _middle_size(found: Json) -> float | None:
    """Pixels of the middle object of truth; None where it is among those that are too large to be counted by size."""
    left = found["objects"] / 2
    for size, count in sorted(found.get("sizes", ())):
        left -= count
        if left <= 0:
            return float(size)
    return None


def known_ranges(dataset: Dataset, names: Sequence[str], channels: Sequence[str]) -> Json:
    """What model.json keeps of the stacks that train a model, for where they are not."""
    stacks = [stack_values(dataset, name, channels) | truth_values(dataset, name) for name in names]
    return {what: asdict(of) for what, of in training_ranges(stacks).items()}


def trained_stacks(metadata: Json) -> list[str]:
    """Names of the stacks of a dataset that a model was trained on; none of one of elsewhere."""
    parts = metadata.get("split", []) if not metadata.get("came_from") else []
    return list(dict.fromkeys(part["stack"] for part in parts if part["use"] == "training"))


def ranges_of(
    dataset: Dataset, model: str, is_segmented: Callable[[str], bool] = lambda name: True
) -> dict[str, TrainingRange]:
    """Ranges of the stacks that a model was trained on; none where nothing is known of them.

    Objects are compared with those that the model itself found on them, else with those that people drew.
    """
    metadata = model_of(dataset, model).known_attributes()
    channels, names = metadata.get("channels", ()), trained_stacks(metadata)
    kept = dict[str, TrainingRange]()
    with suppress(TypeError):  # damaged
        kept = {what: TrainingRange(**of) for what, of in metadata.get(RANGES, {}).items()}
    stacks = (stack_values(dataset, name, channels, model if is_segmented(name) else None) for name in names)
    found = training_ranges(stacks)
    return (kept or _spans(metadata)) | found


def _spans(metadata: Json) -> dict[str, TrainingRange]:
    """The grey spread of each channel, which models of before know too."""
    channels, seen = metadata.get("channels", ()), metadata.get("normalisation", {}).get("trained_on", ())
    found = dict[str, TrainingRange]()
    for channel, of in zip(channels, seen, strict=False):
        spans = [Measured("grey spread", of[key]) for key in ("least_span", "most_span") if key in of]
        if spans:
            found["grey spread" + (f" of {channel}" if len(channels) > 1 else "")] = TrainingRange.of(spans)
    return found


def drift_rows(
    dataset: Dataset,
    model: str,
    names: Sequence[str],
    is_segmented: Callable[[str], bool] = lambda name: True,
    ranges: Mapping[str, TrainingRange] | None = None,
) -> list[DriftRow]:
    """Each number of these stacks beside the range of the training stacks; no rows of these, or where none is known.

    Args:
        dataset: the folder.
        model: name of the model.
        names: of stacks.
        is_segmented: whether a stack's segments are those of now.
        ranges: of the training stacks, where they are known.
    """
    known = ranges_of(dataset, model, is_segmented) if ranges is None else ranges
    if not known:
        return []
    metadata = model_of(dataset, model).known_attributes()
    channels, trained = metadata.get("channels", ()), set(trained_stacks(metadata))
    others = [name for name in names if name not in trained]
    found = [(name, stack_values(dataset, name, channels, model if is_segmented(name) else None)) for name in others]
    return [row for name, values in found if values for row in compare(name, values, known)]
