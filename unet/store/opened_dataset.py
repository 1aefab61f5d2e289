"""A dataset opened for reading: its images, truth, scores and segments as arrays, its tables, and its models' metadata.

For notebooks and scripts, which see what is finished and nothing of what is in the making. No pixel is read before it
is asked for, and nothing is ever written: there is no `__setitem__`. What people draw goes in through a viewer or a
source, and what stages make through the stages, or nobody could tell any more what was made of what.

Tables are pyarrow's, as they lie on disk: every data frame takes them without a copy of the format
(`table.to_pandas()`, `polars.from_arrow(table)`). Rejected: pandas frames, for which all would have to install pandas.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.dataset.folder import Dataset, Json
from unet.dataset.record_file import read_record
from unet.ledger.generations import Result
from unet.ledger.results import image_of, labels_of, model_of, scores_of
from unet.ledger.truth_state import is_withdrawn
from unet.store import ome
from unet.store.arrays import Stored, open_array
from unet.store.shards import Shape
from unet.store.tables import read_table

log = logging.getLogger(__name__)

TRUTH = "truth"


@dataclass(frozen=True)
class OpenedArray:
    """One array of a dataset, read from the store as it is indexed: `array[0, :256]` is a numpy array.

    `numpy.asarray(array)` reads all of it; `dask.array.from_array(array)` and image viewers take it as it is.
    """

    stored: Stored
    axes: str
    """Names of the axes, some of `tczyx` in this order, always ending in `yx`."""
    spacing: Mapping[str, float]
    """Size of a pixel by axis, in `units`; an axis of unknown size is absent."""
    units: Mapping[str, str]
    """Unit by axis as OME-Zarr names it, such as `micrometer`; absent where `spacing` is."""
    channels: tuple[str, ...] = ()
    """Names along the axis c: an image's channels, or the classes of scores; none for labels."""

    @property
    def shape(self) -> Shape:
        """Length of each axis."""
        return self.stored.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.stored.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        return self.stored.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Pixels at an index of integers and slices; ValueError that names the shard where one is damaged."""
        return self.stored[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All pixels, for `numpy.asarray`."""
        return np.asarray(self.stored[...], dtype)


@dataclass(frozen=True)
class OpenedDataset:
    """What lies in a dataset's folder. Where `model` is not named it is the dataset's own, `train.name`."""

    place: Dataset

    @property
    def stacks(self) -> tuple[str, ...]:
        """Names of the stacks that have an image."""
        return tuple(name for name in self.place.stacks() if _is_finished(image_of(self.place, name)))

    @property
    def models(self) -> dict[str, Json]:
        """Metadata of each model by its name: architecture, channels, classes, split, history, what it was made of.

        A model whose metadata is damaged is left out, and a warning in the log says so.
        """
        found = {}
        for name in self.place.members("models"):
            try:
                found[name] = model_of(self.place, name).attributes()
            except ValueError as error:
                log.warning("%s is left out: %s", name, error)
        return {name: metadata for name, metadata in found.items() if metadata}

    def labels(self, stack: str) -> tuple[str, ...]:
        """What labels a stack has: `truth`, and the names of the models that segmented it."""
        self._require_stack(stack)
        folder = self.place.image(stack) / "labels"
        return tuple(name for name in folder.names() if self._has_labels(stack, name))

    def image(self, stack: str) -> OpenedArray:
        """What the microscope wrote, in its own grey values."""
        self._require_stack(stack)
        result = image_of(self.place, stack)
        shown = result.attributes().get("ome", {}).get("omero", {}).get("channels", [])
        return _opened(result, tuple(channel["label"] for channel in shown))

    def truth(self, stack: str) -> OpenedArray:
        """Ids of the objects that people drew, 0 = background."""
        return self._labels(stack, TRUTH, "truth; draw it in a viewer, or name a folder of it in `sources`")

    def segments(self, stack: str, model: str | None = None) -> OpenedArray:
        """Ids of the objects that a model found, 0 = background."""
        model = self._model if model is None else model
        if model == TRUTH:
            raise ValueError(f"segments must be those of a model, got {model!r}, which people drew; see `truth`")
        return self._labels(stack, model, f"segments of {model}; run `unet-flows segment`")

    def scores(self, stack: str, model: str | None = None) -> OpenedArray:
        """Scores of each class but the background, as they are stored: uint8 is round(255·p), floats are p."""
        self._require_stack(stack)
        model = self._model if model is None else model
        result = scores_of(self.place, model, stack)
        stamp = result.stamp()
        if stamp is None or stamp.facts.get("dropped"):
            why = "run `unet-flows predict`" if stamp is None else "predict.keep_scores is off"
            raise LookupError(f"{stack} must have scores of {model}, got none; {why}")
        named = tuple(model_of(self.place, model).attributes().get("classes") or ())[1:]
        count = open_array(ome.full_level(result)).shape[ome.axes_of(result.attributes()).index("c")]
        return _opened(result, named or tuple(map(str, range(1, count + 1))))

    def table(self, stack: str, model: str | None = None) -> Any:
        """One row a segment: a `pyarrow.Table`, sorted by id; `unet.labels.segment_table` says what each column is."""
        self._require_stack(stack)
        model = self._model if model is None else model
        return read_table(self.place, model, stack)

    @property
    def _model(self) -> str:
        return read_record(self.place).model

    def _labels(self, stack: str, labels: str, lacking: str) -> OpenedArray:
        self._require_stack(stack)
        result = labels_of(self.place, stack, labels)
        if not self._has_labels(stack, labels):
            raise LookupError(f"{stack} must have {lacking}; labels here are {_listed(self.labels(stack))}")
        return _opened(result)

    def _has_labels(self, stack: str, labels: str) -> bool:
        """Whether labels are there whole, and are not truth that was withdrawn."""
        is_there = _is_finished(labels_of(self.place, stack, labels))
        return is_there and not (labels == TRUTH and is_withdrawn(self.place, stack))

    def _require_stack(self, stack: str) -> None:
        if not _is_finished(image_of(self.place, stack)):
            raise LookupError(f"{stack!r} must be a stack with an image, got none; there are {_listed(self.stacks)}")


def open_dataset(path: str) -> OpenedDataset:
    """The dataset in a folder, or at an fsspec URL, opened for reading; LookupError where there is none.

    An example stands in the docstring of `unet`.
    """
    where = str(path)
    dataset = Dataset(where if "://" in where else str(Path(where).absolute()))  # whatever folder is gone to later
    if not dataset.record.exists():
        raise LookupError(
            f"{dataset.url} must be a dataset's folder with a dataset.yaml, got none; see `unet-flows init`"
        )
    return OpenedDataset(dataset)


def _is_finished(result: Result) -> bool:
    """Whether an image or labels lie there whole: the group's metadata is what is written last."""
    return bool(result.attributes().get("ome", {}).get("multiscales"))


def _opened(result: Result, channels: tuple[str, ...] = ()) -> OpenedArray:
    described = result.attributes()["ome"]["multiscales"][0]
    axes = ome.axes_of(result.attributes())
    sizes = dict(zip(axes, described["datasets"][0]["coordinateTransformations"][0]["scale"], strict=True))
    units = {axis["name"]: axis["unit"] for axis in described["axes"] if "unit" in axis}
    spacing = {axis: sizes[axis] for axis in units}
    return OpenedArray(open_array(ome.full_level(result)), axes, spacing, units, channels)


def _listed(names: tuple[str, ...]) -> str:
    """Names as a sentence lists them, the first few of many.

    >>> _listed(()), _listed(tuple("abcdefg"))
    ('none', 'a, b, c, d, e and 2 more')
    """
    few = ", ".join(names[:5]) or "none"
    return few if len(names) <= 5 else f"{few} and {len(names) - 5} more"
