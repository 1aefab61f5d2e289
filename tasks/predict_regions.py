"""What a worker does of a prediction: windows of one stack read, computed and written, all three at once.

The unit of work is a window of some planes: of each plane and class it is one shard of the scores. Small planes share a
pass of the network; they are written as the shards that they are.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from threading import Lock

import numpy as np
import torch

from tasks.execution.pipeline import Clock, overlapped
from tasks.training_planes import stack_statistics
from unet.dataset.folder import Dataset, Folder, Json
from unet.images.channel_statistics import GreyRange
from unet.images.grey_values import by_rule
from unet.images.planes import Plane, planes
from unet.images.rescaling import Scale
from unet.images.windows import Window
from unet.ledger.results import image_of
from unet.network.inference import Predictor
from unet.network.map_memory import OF_PROCESS
from unet.network.model_files import channel_indices, ready_model
from unet.network.numeric_plan import NumericPlan
from unet.network.window_scores import PendingScores, WindowPixels, WindowPredictor
from unet.settings.predict import Predict
from unet.store import ome
from unet.store.arrays import Stored, open_array
from unet.store.shards import Region

DTYPES = {"uint8": torch.uint8, "float16": torch.float16, "float32": torch.float32}
ONE_AT_A_TIME = Lock()
"""Held by the prediction that a process is at: memory and threads are planned for one."""
PlaneIndex = tuple[int, ...]
"""Place of a plane along the axes before y and x, channels left out."""


@dataclass(frozen=True)
class PlanesWindow:
    """One window of several planes: what is read, computed and written together."""

    planes: tuple[PlaneIndex, ...]
    window: Window


@dataclass(frozen=True)
class StackPrediction:
    """One stack's prediction, told by names and plain values, so that it goes to any worker."""

    dataset: Dataset
    name: str
    model: str
    identity: str
    """Of the model."""
    settings: Predict
    plan: NumericPlan
    scale: Scale | None
    """Pixels of the model's size for each of the image's; None: as they are."""
    target: Folder
    axes: str
    """Axes of the scores."""

    def __call__(self, windows: Sequence[PlanesWindow]) -> float:
        """Predict these windows; returns the seconds that computing waited for reading and writing."""
        clock = Clock()
        with ONE_AT_A_TIME, closing(OF_PROCESS):  # a worker's next work may be another stage's
            for _ in self.walk(windows, clock):
                pass
        return clock.waited

    def walk(self, windows: Sequence[PlanesWindow], clock: Clock) -> Iterator[PlanesWindow]:
        """Each of these windows once it is predicted, or was before."""
        torch.set_num_threads(self.plan.threads)
        image, scores = _StackImage.open(self), Stored(self.target)
        done = {window: self._is_done(scores, window) for window in windows}
        yield from (window for window in windows if done[window])
        missing = [window for window in windows if not done[window]]
        writer = _ScoresWriter(self, scores, image.predictor)
        yield from overlapped(missing, image.read, image.compute, writer, clock)

    def shard(self, plane: PlaneIndex, class_: int, window: Window) -> Region:
        """The shard of one class of one plane."""
        rest = iter(plane)
        leading = (class_ if axis == "c" else next(rest) for axis in self.axes[:-2])
        return (*(slice(i, i + 1) for i in leading), *window.slices)

    def _is_done(self, scores: Stored, work: PlanesWindow) -> bool:
        """Whether all of these shards were written."""
        classes = range(scores.layout.shape[self.axes.index("c")])
        done: bool = all(scores.is_done(self.shard(p, c, work.window)) for p in work.planes for c in reversed(classes))
        return done


@dataclass(frozen=True)
class _StackImage:
    """A stack's image, with the model that sees it: its channels, normalised by the model's rule."""

    planes: dict[PlaneIndex, Plane]
    ranges: list[GreyRange]
    predictor: WindowPredictor

    @classmethod
    def open(cls, job: StackPrediction) -> "_StackImage":
        image, plan, settings = image_of(job.dataset, job.name), job.plan, job.settings
        facts, array = image.committed().facts, open_array(ome.full_level(image))
        model = ready_model(job.dataset, job.model, job.identity, plan.device, plan.precision)
        channels = channel_indices(model.channels, facts["channels"], job.name)
        known = stack_statistics(job.dataset, job.name, model.channels)
        dtype = DTYPES[settings.dtype]
        predictor = Predictor(
            network=model.network,
            tile=plan.tile,
            block=plan.block,
            dtype=torch.float32 if job.scale else dtype,
            test_time_augmentation=settings.test_time_augmentation,
            threads=plan.threads,
            memory=OF_PROCESS,
        )
        return cls(
            planes=dict(zip(plane_indices(facts), planes(array, facts["axes"], channels), strict=True)),
            ranges=by_rule(model.normalisation, known.channels, job.name, known.source),
            predictor=WindowPredictor(predictor, dtype, job.scale, settings.background_below),
        )

    def read(self, work: PlanesWindow) -> WindowPixels:
        around = self.predictor.reading(work.window)
        grey_values = [self.planes[plane].read(around) for plane in work.planes]
        return self.predictor.prepare(grey_values, work.window, self.ranges)

    def compute(self, work: PlanesWindow, seen: WindowPixels) -> PendingScores:
        return self.predictor.compute(work.window, seen)


@dataclass(frozen=True)
class _ScoresWriter:
    """Writes the scores of a window, those that are not there."""

    job: StackPrediction
    scores: Stored
    predictor: WindowPredictor

    def __call__(self, work: PlanesWindow, pending: PendingScores) -> None:
        if not pending.are_finite:
            raise ValueError(
                f"scores must be finite, got others of {self.job.name} in {self.job.plan.precision}; set "
                "predict.precision to float32, or train the model again"
            )
        found = self.predictor.finish(work.window, pending)
        for plane, classes in zip(work.planes, found, strict=True):
            for class_, values in enumerate(classes):
                shard = self.job.shard(plane, class_, work.window)
                if not self.scores.is_done(shard):
                    self.scores.write(shard, values.reshape([part.stop - part.start for part in shard]))


def plane_indices(facts: Json) -> list[PlaneIndex]:
    """Places of an image's planes, in raster order."""
    leading = [size for axis, size in zip(facts["axes"], facts["shape"], strict=True) if axis in "tz"]
    return list(np.ndindex(*leading))


def planes_windows(indices: Sequence[PlaneIndex], windows: Sequence[Window], batch: int) -> Iterator[PlanesWindow]:
    """All work of a stack in raster order: each window of `batch` planes at a time.

    >>> [len(work.planes) for work in planes_windows([(0,), (1,), (2,)], [Window(0, 0, 8, 8)], 2)]
    [2, 1]
    """
    waiting = iter(indices)
    while some := tuple(islice(waiting, batch)):
        yield from (PlanesWindow(some, window) for window in windows)
