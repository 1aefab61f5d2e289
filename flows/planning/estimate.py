"""What a run would take: seconds by past rates, bytes by the shapes of what is written, and the room on the disk.

A rate is the median over what this dataset's own stamps tell, for each stage by itself; where none does, it is not
known. Bytes are those of the arrays unpacked; how well they pack is what past results of the stage packed to, or a
careful guess. A result that is made again takes the place of the one before once it is whole, so that only the largest
of those asks for room. Where the guess errs it is on the small side: no run that would fit is refused.
"""

import math
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from flows.planning.plan import Plan
from flows.planning.status import MODEL_STAGES, StageStatus
from unet.dataset.folder import Dataset, Folder
from unet.ledger.fingerprint import sizes_and_times
from unet.ledger.generations import Result
from unet.ledger.results import image_of, model_of, result_of
from unet.settings.record import Record
from unet.sources.fetching import as_bytes

PYRAMID = 4 / 3
"""All levels of a pyramid, beside the first."""
PACKED = {"ingest": 1 / 3, "train": 1.0}
"""Part of its bytes that a result takes on the disk, where none was made yet; 1/10 for others, mostly background."""
RATES_OF = 32
"""Past results, spread evenly, of which rates are the median."""
WEIGHED = 5
"""Past results of which the bytes on the disk are counted."""


@dataclass(frozen=True)
class Cost:
    """What one result would take."""

    seconds: float | None
    """By past rates; None where nothing of its stage was made yet."""
    bytes: int
    """Of its arrays, unpacked: more than it will take on the disk."""


@dataclass(frozen=True)
class Estimate:
    """What a run would take, result by result and as a whole."""

    costs: dict[tuple[str, str], Cost]
    packed: int
    """Bytes that its results will take on the disk, about."""
    room: int
    """Bytes that the disk must have free for it, about: what takes the place of a result before needs none for long."""
    free: int | None
    """Bytes that the dataset's disk has free; None where it is no disk."""

    @property
    def seconds(self) -> float | None:
        """Of all results; None where one of them is not known."""
        known = [cost.seconds for cost in self.costs.values() if cost.seconds is not None]
        return sum(known) if len(known) == len(self.costs) else None

    @property
    def bytes(self) -> int:
        """Of all results, unpacked."""
        return sum(cost.bytes for cost in self.costs.values())

    def require_room(self) -> None:
        """Refuse a run that would not fit the disk; OSError says what it needs and what there is."""
        if self.free is not None and self.room > self.free:
            raise OSError(
                f"the disk must have about {as_bytes(self.room)} free for {len(self.costs)} results, got "
                f"{as_bytes(self.free)}; free some, move the dataset, or narrow the run with --only"
            )


def estimate(record: Record, plan: Plan, pending: Sequence[StageStatus]) -> Estimate:
    """What making these results of a plan would take."""
    past = _Past(plan.seen, record, plan)
    costs = {(w.stage, w.name): Cost(past.seconds(w.stage, w.name), past.bytes(w.stage, w.name)) for w in pending}
    taken = {key: cost.bytes * past.packing[key[0]] for key, cost in costs.items()}
    new = {(w.stage, w.name) for w in pending if w.state == "missing"}
    again = max((size for key, size in taken.items() if key not in new), default=0.0)
    room = sum(size for key, size in taken.items() if key in new) + again
    return Estimate(costs, round(sum(taken.values())), round(room), _free_bytes(plan.seen))


def stack_bytes(plan: Plan, record: Record, names: Iterable[str]) -> dict[str, int]:
    """Bytes of each stack's image, unpacked."""
    past = _Past(plan.seen, record, plan)
    return {name: past.image_bytes(name) for name in names}


def as_minutes(seconds: float | None) -> str:
    """Minutes, of which a tenth is the least; `?` where they are not known.

    >>> as_minutes(None), as_minutes(0.2), as_minutes(90)
    ('?', '< 0.1 min', '1.5 min')
    """
    return "?" if seconds is None else "< 0.1 min" if seconds < 6 else f"{seconds / 60:.1f} min"


@dataclass(frozen=True)
class _Past:
    dataset: Dataset
    record: Record
    plan: Plan

    def seconds(self, stage: str, name: str) -> float | None:
        rate, most = self._rates[stage], 60 * self.record.train.minutes if stage == "train" else 0
        seconds = None if rate is None else rate * self._work_amount(stage, name)
        return min(seconds or most, most) if most else seconds

    def bytes(self, stage: str, name: str) -> int:
        if stage in MODEL_STAGES:
            return self._parameters() if stage == "train" else 0
        pixels, truth = self._pixels(name), ("weigh", name) in self.plan.statuses
        each = {"weigh": 5.0, "predict": self._score_bytes() * PYRAMID, "segment": 4 * PYRAMID}
        if stage == "ingest":
            stack = self.plan.stacks.get(name)
            image = 0 if stack and stack.is_linked else self.image_bytes(name)
            return round((image + 4 * pixels * truth) * PYRAMID)
        return round(pixels * each[stage])

    def image_bytes(self, name: str) -> int:
        """Bytes of a stack's image: of its arrays, or of its files where nothing tells how large those are."""
        if known := self._image(name):
            sizes, itemsize = known
            return math.prod(sizes.values()) * itemsize
        stack = self.plan.stacks.get(name)  # None where the source is gone, and the image is damaged too
        found = sizes_and_times(stack.files) if stack else {}
        return sum(size // self._sharing[file] for file, (size, _) in found.items())

    def _pixels(self, name: str) -> int:
        """Pixels of all planes, channels counted once; of 2 bytes where nothing tells how large they are."""
        if known := self._image(name):
            return math.prod(size for axis, size in known[0].items() if axis != "c")
        return self.image_bytes(name) // 2

    def _image(self, name: str) -> tuple[dict[str, int], int] | None:
        """Sizes of an image's axes and bytes of a pixel; None where it was not taken in yet, or is damaged."""
        try:
            stamp = image_of(self.dataset, name).stamp()
            if stamp is None:
                return None
            return dict(zip(stamp.facts["axes"], stamp.facts["shape"], strict=True)), _itemsize(stamp.facts["dtype"])
        except ValueError:
            return None

    def _work_amount(self, stage: str, name: str) -> float:
        """What its seconds are in proportion to: steps of a training, bytes of an image, pixels."""
        if stage == "train":
            return self.record.train.steps
        if stage == "evaluate":  # as long as the last time
            return 1
        return self.image_bytes(name) if stage == "ingest" else self._pixels(name)

    @cached_property
    def _sharing(self) -> Counter[str]:
        """Stacks that are read from each file."""
        return Counter(file for stack in self.plan.stacks.values() for file in stack.files)

    @cached_property
    def _rates(self) -> dict[str, float | None]:
        """Seconds for one of what they are in proportion to, by stage."""
        return {stage: self._rate(stage) for stage in dict.fromkeys(stage for stage, _ in self.plan.statuses)}

    def _rate(self, stage: str) -> float | None:
        rates = []
        for name in self._made_names(stage, RATES_OF):
            stamp = self._result(stage, name).committed()
            amount = stamp.recipe.settings.get("steps") if stage == "train" else self._work_amount(stage, name)
            if "seconds" in stamp.facts and amount:
                rates.append(stamp.facts["seconds"] / amount)
        return median(rates) if rates else None

    @cached_property
    def packing(self) -> dict[str, float]:
        """Part of its bytes that a result takes on the disk, by stage."""
        return {stage: self._packing(stage) for stage in dict.fromkeys(stage for stage, _ in self.plan.statuses)}

    def _packing(self, stage: str) -> float:
        made = self._made_names(stage, WEIGHED) if stage not in MODEL_STAGES else []
        sizes = {name: sum(map(_folder_bytes, self._parts(stage, name))) for name in made}
        parts = [
            size / max(self.bytes(stage, name), 1) for name, size in sizes.items() if size
        ]  # scores may be dropped
        return min(median(parts), 1.0) if parts else PACKED.get(stage, 1 / 10)

    def _made_names(self, stage: str, count: int) -> list[str]:
        """Names of results of a stage that are there and not damaged, so many at most, spread evenly."""
        names = [name for (of, name), status in self.plan.statuses.items() if of == stage and status.state != "missing"]
        few = names[:: max(len(names) // count, 1)][:count]
        return [name for name in few if self._result(stage, name).known_stamp() is not None]

    def _parts(self, stage: str, name: str) -> list[Folder]:
        result = self._result(stage, name)
        return result.parts(result.committed().generation)

    def _result(self, stage: str, name: str) -> Result:
        return result_of(self.dataset, stage, name, self.record.model)

    def _score_bytes(self) -> float:
        """Bytes of a pixel's scores, one of each class but the background."""
        return (self._classes - 1) * _itemsize(self.record.predict.dtype)

    @cached_property
    def _classes(self) -> int:
        network = model_of(self.dataset, self.record.model).known_attributes().get("architecture", {})
        return int(network.get("classes", len(self.record.classes) + 1))

    def _parameters(self) -> int:
        """Bytes of a model and of two checkpoints, which hold the parameters and two moments of each.

        A network like the paper's has about 30 w² parameters, w being the channels at its bottom.
        """
        network = self.record.train.architecture
        return 30 * (network.base << network.depth) ** 2 * 4 * (1 + 2 * 3)


def _itemsize(dtype: str) -> int:
    """Bytes of a number of this type, by its name.

    >>> _itemsize("uint16"), _itemsize("float32")
    (2, 4)
    """
    return int(re.sub(r"\D", "", dtype) or 8) // 8


def _folder_bytes(folder: Folder) -> int:
    return sum(size for size, _ in folder.files().values())


def _free_bytes(dataset: Dataset) -> int | None:
    """Bytes free on the disk that a dataset lies on; None where it lies on none."""
    return int(shutil.disk_usage(dataset.url).free) if dataset.is_local else None
