"""Samples: windows drawn from planes with truth, normalised by their acquisition's statistics, augmented on the device.

A network is trained on what prediction will show it: images mirrored beyond their edges, and never normalised by tile.

Which pixels: a tile's centre lies anywhere in a plane, evenly, so the tile reaches at most half its side over the
edges. There it sees the plane mirrored; counting what is seen so, every pixel of every plane is shown equally often,
but for the outermost rows and columns, which have no mirror image and are shown half as often. Where objects are rare
most tiles would show none: so of a share of the samples, `object_share`, each is drawn again until it shows one; on
dense truth this changes next to nothing. Of several classes one is drawn for each of these samples, all alike likely,
and it is drawn again until it shows that one, which `class_places` makes quick. Rejected: tiles within the plane, whose
corner pixels would hardly ever be shown; tiles by density of objects, which tells the network that objects are more
common than they are.

When: sample i of step k depends on the seed, k and i alone, so a resumed run draws what an undisturbed one would have
drawn, and processes that share a batch draw its parts. A few threads draw ahead while the device works.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from math import floor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unet.images.array_types import IGNORE
from unet.images.windows import Window
from unet.reports.pictures import Bytes, sample_sheet
from unet.settings.augmentation import Augmentation
from unet.settings.train import Training
from unet.store.read_ahead import read_ahead
from unet.training.augment import Batch, Change, augment, draw_change, margin
from unet.training.class_places import ClassPlaces, places_of_classes
from unet.training.training_plane import TrainingPlane, held_on_device, window_of

VALIDATION_PIXELS = 2**21
"""Pixels that a look at the validation part takes at most, in windows spread over its planes."""
DRAWING_THREADS = 2
"""Threads that read windows and change them."""
AHEAD = 4
"""Steps whose batches are drawn ahead, at most."""
TRIES = 1000
"""Windows drawn for one sample, at most, until one holds a pixel that is not ignored."""
OBJECT_TRIES = 50
"""Windows drawn for one sample, at most, until one shows an object, where it is to show one."""


@dataclass(frozen=True)
class Sample:
    """What is drawn: a square window of a plane that the loss is taken over, and how it is changed."""

    plane: TrainingPlane
    target: Window
    change: Change


@dataclass(frozen=True)
class Drawn:
    """The samples of a step, and the windows read for them: larger than a tile, as changes reach beyond it."""

    samples: Sequence[Sample]
    windows: Batch


def batches(
    planes: Sequence[TrainingPlane], training: Training, device: torch.device, start: int = 0, first: int = 0
) -> Generator[Batch, None, None]:
    """Augmented batches of the steps from `start` on; close it when training ends early, and its threads end.

    Args:
        planes: the training part.
        training: tile, batch, steps, seed, augmentation and architecture.
        device: where the batches shall be.
        start: steps that were done before.
        first: number of the first sample drawn of each step, for processes that share a batch.
    """
    held, steps = held_on_device(planes, device), range(start, training.steps)
    places = places_to_show(planes, training)

    def draw(step: int) -> Batch:
        return _finish(draw_step(held, training, first, step, places), training, device)

    with closing(read_ahead(draw, steps, DRAWING_THREADS, AHEAD, "samples")) as drawn:
        for _, batch in drawn:
            yield batch.result()


def validation_batches(planes: Sequence[TrainingPlane], training: Training, device: torch.device) -> Iterator[Batch]:
    """Validation windows, one a batch, spread evenly over the planes, never augmented; none is wholly ignored."""
    side, still = _target_side(training), draw_change(Augmentation.none(), np.random.default_rng(0))
    windows = [
        Sample(plane, Window(y, x, side, side), still)
        for plane in planes
        for y in range(0, max(plane.image.window.height - side // 2, 1), side)
        for x in range(0, max(plane.image.window.width - side // 2, 1), side)
    ]
    for sample in windows[:: -(-len(windows) * side**2 // VALIDATION_PIXELS) or 1]:
        if _judged_classes(sample).size:
            yield _finish(_read_all([sample], training), training, device)


def draw_sheet(planes: Sequence[TrainingPlane], training: Training, device: torch.device) -> Bytes:
    """RGB picture (y, x, 3) of up to four samples of the first step: above as they were drawn, below as changed."""
    still = draw_change(Augmentation.none(), np.random.default_rng(0))
    drawn = draw_step(planes, replace(training, batch_size=min(training.batch_size, 4)), 0, 0)
    before = _read_all([replace(sample, change=still) for sample in drawn.samples], training)
    rows = [_finish(step, training, device) for step in (before, drawn)]
    images, classes = (
        np.concatenate([getattr(row, name).cpu().numpy() for row in rows]) for name in ("image", "classes")
    )
    return sample_sheet(images[:, 0], classes, columns=len(drawn.samples))


def places_to_show(planes: Sequence[TrainingPlane], training: Training) -> list[ClassPlaces]:
    """Where samples may lie that show each class; none where there is one class, which is looked for as it comes."""
    is_asked = training.architecture.classes > 2 and training.object_share > 0
    return places_of_classes(planes, _target_side(training)) if is_asked else []


def draw_step(
    planes: Sequence[TrainingPlane],
    training: Training,
    first: int,
    step: int,
    places: Sequence[ClassPlaces] | None = None,
) -> Drawn:
    """The samples of a step, read; a plane is drawn in proportion to its pixels.

    `places` are those of `places_to_show`, which takes a look at all planes, so that many steps do with one.
    """
    places = places_to_show(planes, training) if places is None else places
    pixels = np.array([plane.image.window.height * plane.image.window.width for plane in planes], np.float64)
    chances = pixels / pixels.sum()
    numbers = range(first, first + training.batch_size)
    draws = (np.random.default_rng([training.seed, step, number]) for number in numbers)
    return _read_all([draw_sample(planes, chances, training, draw, places) for draw in draws], training)


def draw_sample(
    planes: Sequence[TrainingPlane],
    chances: NDArray[np.float64],
    training: Training,
    draw: np.random.Generator,
    places: Sequence[ClassPlaces] = (),
) -> Sample:
    """A sample; drawn again while all of its pixels are ignored, or none is an object's where one is to be shown.

    With `places` it is one of a class that is drawn, each as likely as any other.

    Raises:
        ValueError: where that goes on and on.
    """
    side, shows_object = _target_side(training), draw.random() < training.object_share
    shown = places[int(draw.integers(len(places)))] if places and shows_object else None
    for tries in range(TRIES):
        if shown:
            plane, *centre = shown.draw(planes, draw)
        else:
            plane, *centre = planes[draw.choice(len(planes), p=chances)], draw.random(), draw.random()
        sizes = plane.image.window.height, plane.image.window.width
        y, x = (tile_origin(size, side, chance) for size, chance in zip(sizes, centre, strict=True))
        sample = Sample(plane, Window(y, x, side, side), draw_change(training.augmentation, draw))
        judged = _judged_classes(sample)
        is_shown = (judged == shown.of_class).any() if shown else judged.any() or not shows_object
        if judged.size and (is_shown or tries >= OBJECT_TRIES):
            return sample
    raise ValueError(
        f"the training part must hold pixels that are not ignored, got none in {TRIES} windows of {side} px; "
        "look at the truth, and at `ignore` of its source"
    )


def tile_origin(size: int, side: int, chance: float) -> int:
    """Where a tile of `side` begins in a plane of `size` pixels: `chance`, from 0 to 1, is where its centre lies.

    >>> [tile_origin(5, 4, chance) for chance in (0, 0.3, 0.6, 0.99)]
    [-1, 0, 1, 2]
    """
    return floor(chance * (size - 1) - (side - 1) / 2 + 0.5)


def _judged_classes(sample: Sample) -> NDArray[Any]:
    """Classes of the sample's pixels that are not ignored, in a row."""
    classes = sample.plane.classes.read(sample.target)
    judged: NDArray[Any] = classes[classes != IGNORE]
    return judged


def _read_all(samples: Sequence[Sample], training: Training) -> Drawn:
    """Windows of one size around the samples, on the device where their planes are held there."""
    side = _target_side(training) + 2 * _lost(training)
    reach = _lost(training) + max(margin(sample.change, side) for sample in samples)
    layers = [window_of(sample.plane, _grown(sample.target, reach)) for sample in samples]
    image, classes, border = (torch.stack(layer) for layer in zip(*layers, strict=True))
    names = tuple(sample.plane.name for sample in samples)
    return Drawn(
        samples, Batch(image, classes, border if training.use_border_weights else torch.zeros_like(border), names)
    )


def _grown(window: Window, reach: int) -> Window:
    return Window(window.y - reach, window.x - reach, window.height + 2 * reach, window.width + 2 * reach)


def _finish(drawn: Drawn, training: Training, device: torch.device) -> Batch:
    """The step's batch on the device: changed, channels last, classes and border cut to the network's output."""
    lost, read = _lost(training), drawn.windows
    side = _target_side(training) + 2 * lost
    image, classes, border = (layer.to(device) for layer in (read.image, read.classes, read.border))
    batch = augment(Batch(image, classes, border, read.names), [sample.change for sample in drawn.samples], side)
    middle = slice(lost, side - lost)
    return replace(
        batch,
        image=batch.image.contiguous(memory_format=torch.channels_last),
        classes=batch.classes[:, middle, middle],
        border=batch.border[:, middle, middle],
    )


def _target_side(training: Training) -> int:
    """Side of the network's output in pixels: `tile`, evened out for the architecture."""
    return training.architecture.input_size(training.tile_size) - 2 * training.architecture.context


def _lost(training: Training) -> int:
    """Pixels on each side that an unpadded network needs as context; padded ones are trained on the window alone."""
    return training.architecture.context if training.architecture.padding == "valid" else 0
