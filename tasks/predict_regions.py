"""What a worker does of a prediction: regions of one stack read, computed and written, all three at once.

A region is a shard of the scores, of all classes, and of several planes where they are small.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.execution.pipeline import Clock, overlapped
from unet.dataset.folder import Dataset, Folder, Json
from unet.images.empty_squares import Emptiness
from unet.images.normalisation import Statistics, by_rule, normalise
from unet.images.planes import planes
from unet.images.rescaling import Scale, covering, inverse, reading, rescaled
from unet.images.windows import Window
from unet.ledger.results import image_of
from unet.network import model_files
from unet.network.inference import PRECISIONS, Pixels, Predictor, Scores, Symmetries, quantised, ready_to_predict
from unet.network.model_files import channel_indices
from unet.network.numeric_plan import NumericPlan
from unet.store import ome
from unet.store.arrays import Stored, open_array
from unet.store.shards import Region

DTYPES = {"uint8": torch.uint8, "float16": torch.float16, "float32": torch.float32}
ONE_AT_A_TIME = Lock()
"""Held by the prediction that a process is at: memory and threads are planned for one."""
Frame = tuple[int, ...]
"""Place of a plane along the axes before y and x, channels left out."""


@dataclass(frozen=True)
class Shards:
    """The shards of one window of several planes: what is read, computed and written together."""

    frames: tuple[Frame, ...]
    window: Window


@dataclass(frozen=True, eq=False)
class Seen:
    """What was read for a region."""

    pixels: torch.Tensor
    """Normalised, (n, channels, y, x), at the model's pixel size."""
    around: Window
    """The window that they fill."""
    empty: Emptiness | None


@dataclass(frozen=True)
class Work:
    """One stack's prediction, told by names and plain values, so that it goes to any worker."""

    dataset: Dataset
    name: str
    model: str
    model_generation: str
    plan: NumericPlan
    dtype: str
    symmetries: Symmetries
    skip_below: float | None
    scale: Scale | None
    """Pixels of the model's size for each of the image's; None: as they are."""
    target: Folder
    axes: str
    """Axes of the scores."""

    def __call__(self, regions: Sequence[Shards]) -> float:
        """Predict these regions; seconds that computing waited for reading and writing."""
        clock = Clock()
        with ONE_AT_A_TIME:
            for _ in self.walk(regions, clock):
                pass
        return clock.waited

    def walk(self, regions: Sequence[Shards], clock: Clock) -> Iterator[Shards]:
        """Each of these regions once it is predicted, or was before."""
        torch.set_num_threads(self.plan.threads)
        read, stored = _Reader(self), Stored(self.target)
        done = {shards: self.is_done(stored, shards) for shards in regions}
        yield from (shards for shards in regions if done[shards])
        missing = [shards for shards in regions if not done[shards]]
        compute = partial(self._compute, read.predictor)
        yield from overlapped(missing, read, compute, _Writer(self, stored), clock)

    def is_done(self, stored: Stored, shards: Shards) -> bool:
        """Whether these shards were written: those of the last class are the last."""
        last = stored.layout.shape[self.axes.index("c")] - 1
        done: bool = all(stored.is_done(self.region(frame, last, shards.window)) for frame in shards.frames)
        return done

    def region(self, frame: Frame, class_: int, window: Window) -> Region:
        """The shard of one class of one plane."""
        rest = iter(frame)
        leading = (class_ if axis == "c" else next(rest) for axis in self.axes[:-2])
        return (*(slice(i, i + 1) for i in leading), *window.slices)

    def predicted(self, window: Window, predictor: Predictor) -> Window:
        """The window to be predicted for one of the scores: at the model's pixel size, begun where tiles begin."""
        if self.scale is None:
            return window
        needed, step = covering(window, self.scale), predictor.step
        y, x = (start // step * step for start in (needed.y, needed.x))
        return Window(y, x, needed.y + needed.height - y, needed.x + needed.width - x)

    def _compute(self, predictor: Predictor, shards: Shards, seen: Seen) -> "Made":
        """Scores on their way to memory: on a GPU nothing is waited for."""
        region, device = self.predicted(shards.window, predictor), predictor.network.head.weight.device
        pixels = seen.pixels.to(device, non_blocking=True)
        nothing = seen.empty is not None and bool(seen.empty.squares.all())

        def skip(tile: Window) -> bool:
            return nothing or (self.scale is None and seen.empty is not None and seen.empty.holds(tile))

        scores = predictor.region(pixels, seen.around, region, skip)
        values, finite = (one.to("cpu", non_blocking=True) for one in scores)
        done: Any = torch.cuda.Event() if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        if done is not None:
            done.record()
        return Made(Scores(values, finite), region, done, seen.empty)


@dataclass(frozen=True, eq=False)
class Made:
    """Scores of a region, perhaps still on their way from the device."""

    scores: Scores
    region: Window
    """The window that they fill, at the model's pixel size."""
    done: Any
    empty: Emptiness | None


class _Reader:
    """Reads what a region's scores are made of, normalised by the model's rule and the acquisition's statistics."""

    def __init__(self, work: Work) -> None:
        image = image_of(work.dataset, work.name)
        facts, array = image.committed().facts, open_array(ome.full_level(image))
        model = _model(work.dataset, work.model, work.model_generation)
        channels = channel_indices(model.channels, facts["channels"], work.name)
        chosen = [Statistics(**facts["statistics"][c]) for c in channels]
        self.work, self.statistics = work, by_rule(model.normalisation, chosen, work.name)
        self.planes = dict(zip(frames_of(facts), planes(array, facts["axes"], channels), strict=True))
        plan = work.plan
        network = _ready(work.dataset, work.model, work.model_generation, plan.device, plan.precision)
        dtype = torch.float32 if work.scale else DTYPES[work.dtype]
        self.predictor = Predictor(network, plan.tile, plan.block, dtype, work.symmetries, plan.threads)

    def __call__(self, shards: Shards) -> Seen:
        scale = self.work.scale
        region = self.work.predicted(shards.window, self.predictor)
        around = self.predictor.reading(region)
        window = reading(around, scale) if scale else around
        raw = [self.planes[frame].read(window) for frame in shards.frames]
        pixels = np.stack([normalise(plane, self.statistics) for plane in raw])
        if scale:
            pixels = rescaled(pixels, around, scale)
        tensor = torch.from_numpy(pixels)
        if self.work.plan.device == "cuda":
            tensor = tensor.pin_memory()
        return Seen(tensor, around, self._empty(raw, window, shards.window))

    def _empty(self, raw: list[NDArray[Any]], window: Window, region: Window) -> Emptiness | None:
        if self.work.skip_below is None:
            return None
        scale = min(self.work.scale or (1.0, 1.0))
        context = int(-(-self.predictor.network.architecture.context // min(scale, 1.0)))
        return Emptiness.of(np.stack(raw), window, region, context, self.work.skip_below)


class _Writer:
    """Writes the scores of a region, the last class last: its shards say that all are done."""

    def __init__(self, work: Work, stored: Stored) -> None:
        self.work, self.stored = work, stored

    def __call__(self, shards: Shards, made: Made) -> None:
        if made.done is not None:
            made.done.synchronize()
        if not bool(made.scores.finite):
            raise ValueError(
                f"scores must be finite, got others of {self.work.name} in {self.work.plan.precision}; set "
                "predict.precision to float32, or train the model again"
            )
        values = self._at_the_images_size(made, shards.window)
        if made.empty is not None:
            made.empty.clear(values)
        for frame, scores in zip(shards.frames, values, strict=True):
            for class_, plane in enumerate(scores):
                region = self.work.region(frame, class_, shards.window)
                if not self.stored.is_done(region):
                    self.stored.write(region, plane.reshape([part.stop - part.start for part in region]))

    def _at_the_images_size(self, made: Made, window: Window) -> NDArray[Any]:
        if self.work.scale is None:
            values: NDArray[Any] = made.scores.values.numpy()
            return values
        needed = covering(window, self.work.scale)
        held: Pixels = made.scores.values[..., *needed.within(made.region).slices].numpy()
        back = rescaled(held, window, inverse(self.work.scale))
        returned: NDArray[Any] = quantised(torch.from_numpy(back), DTYPES[self.work.dtype]).numpy()
        return returned


@lru_cache(maxsize=2)
def _model(dataset: Dataset, model: str, generation: str) -> model_files.Model:
    """A model, loaded once in each process; `generation` tells apart what bears one name."""
    return model_files.load(dataset, model)


@lru_cache(maxsize=2)
def _ready(dataset: Dataset, model: str, generation: str, device: str, precision: Any) -> Any:
    return ready_to_predict(_model(dataset, model, generation).network, torch.device(device), PRECISIONS[precision])


def frames_of(facts: Json) -> list[Frame]:
    """Places of an image's planes, in raster order."""
    leading = [size for axis, size in zip(facts["axes"], facts["shape"], strict=True) if axis in "tz"]
    return list(np.ndindex(*leading))


def groups(frames: Sequence[Frame], windows: Sequence[Window], batch: int) -> Iterator[Shards]:
    """All regions of a stack in raster order: each window of `batch` planes at a time.

    >>> [len(shards.frames) for shards in groups([(0,), (1,), (2,)], [Window(0, 0, 8, 8)], 2)]
    [2, 1]
    """
    waiting = iter(frames)
    while some := tuple(islice(waiting, batch)):
        yield from (Shards(some, window) for window in windows)
