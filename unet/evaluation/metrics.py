"""How well a prediction agrees with truth: one number a measure, from two arrays of labels.

Labels are integers of any size, 0 = background; a boolean mask is one object. Truth comes first. Where a measure is 0/0
it is NaN: whoever averages leaves such planes out and says how many. `judged=`, a mask, says where truth says
something: elsewhere both are background, and no pixel is counted, so that nothing predicted there changes a figure.

| measure             | perfect | symmetric | looks at                         | NaN where                           |
|---------------------|---------|-----------|----------------------------------|-------------------------------------|
| `average_precision` | 1       | yes       | objects found, made up           | neither has an object               |
| `mean_average_precision` | 1  | yes       | the same at ten overlaps         | neither has an object               |
| `panoptic_quality`  | 1       | yes       | objects found and their overlap  | neither has an object               |
| `seg`               | 1       | no        | overlap of each truth object     | truth has no object                 |
| `det`               | 1       | no        | objects found, merged, made up   | truth has no object                 |
| `size_ratio`        | 1       | no        | sizes of objects that are found  | none is found                       |
| `v_rand`            | 1       | no        | `rand_f`, prediction thinned     | truth has no object                 |
| `v_rand_split`, `v_rand_merge` | 1 | no   | its parts                        | truth has no object                 |
| `v_info`            | 1       | no        | bits that one tells of the other | that, or one object, one segment    |
| `v_info_split`, `v_info_merge` | 1 | no   | its parts                        | truth has no object                 |
| `rand_f`            | 1       | no        | pairs of truth foreground pixels | truth has no object                 |
| `rand_split`, `rand_merge` | 1 | no       | its parts                        | truth has no object                 |
| `info_split`, `info_merge` | 1 | no       | bits kept, nothing thinned       | truth has no object                 |
| `rand_error`        | 0       | no        | 1 − `rand_f`                     | truth has no object                 |
| `dice`              | 1       | yes       | foreground                       | neither has foreground              |
| `iou`               | 1       | yes       | foreground                       | neither has foreground              |
| `pixel_error`       | 0       | yes       | foreground                       | no pixel was judged                 |
| `board_pixel_error` | 0       | yes       | foreground, 1 − `dice`           | neither has foreground              |
| `warping_error`     | 0       | no        | topology of the foreground       | no pixel was judged                 |

Those that begin with `v_`, and `warping_error`, are of one y x plane. The others take any shape: a stack whose ids are
unique over its planes gives the value pooled over them, which is not the mean of the planes' values.

All but the last one are figures of one sparse table, `unet.evaluation.contingency`: `object_scores` and `pixel_scores`
have those of objects and of the foreground, `pixel_pairs` those of pairs of pixels, `warping` the one of topology.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from unet.evaluation.contingency import Contingency, LabelsOrMask
from unet.evaluation.object_scores import (
    average_precision,
    det,
    mean_average_precision,
    panoptic_quality,
    seg,
    size_ratio,
)
from unet.evaluation.pixel_pairs import (
    info_merge,
    info_split,
    rand_error,
    rand_f,
    rand_merge,
    rand_split,
    v_info,
    v_info_merge,
    v_info_split,
    v_rand,
    v_rand_merge,
    v_rand_split,
)
from unet.evaluation.pixel_scores import board_pixel_error, dice, iou, pixel_error
from unet.evaluation.warping import warping_error
from unet.images.array_types import Mask

__all__ = [
    "average_precision",
    "board_pixel_error",
    "det",
    "dice",
    "info_merge",
    "info_split",
    "iou",
    "mean_average_precision",
    "panoptic_quality",
    "pixel_error",
    "rand_error",
    "rand_f",
    "rand_merge",
    "rand_split",
    "seg",
    "size_ratio",
    "v_info",
    "v_info_merge",
    "v_info_split",
    "v_rand",
    "v_rand_merge",
    "v_rand_split",
    "warping_error",
]


class Metric(NamedTuple):
    """A metric of the report: how it is measured, what it is called, and how it is read."""

    function: Callable[..., float] | None
    """Of truth and prediction; None where a report is of a metric that is not known here."""
    label: str
    explanation: str
    """What it says in half a sentence."""
    better: Literal["higher", "lower", ""]
    undefined: str
    """When it has no value."""
    by_objects: bool = False
    """Whether its mean counts planes by their true objects; else all planes count alike."""

    @property
    def reads(self) -> Literal["table", "thinned", "pixels"]:
        """What it is computed of: a table, that of thinned segments, or the pixels of a plane."""
        measure: Any = self.function
        return measure.reads if hasattr(measure, "reads") else "pixels"

    def value(self, truth: LabelsOrMask, segments: LabelsOrMask, judged: Mask | None = None) -> float:
        """Its value, by two arrays of labels."""
        measure: Any = self.function
        return float(measure(truth, segments, judged=judged))

    def of_table(self, table: Contingency) -> float:
        """Its value, by a table of what it reads."""
        measure: Any = self.function
        return float(measure.of_table(table))


NO_OBJECT, NO_TRUTH, NO_PIXEL = (
    "neither truth nor segments have an object",
    "truth has no object",
    "no pixel was judged",
)

METRICS = {
    metric.function.__name__: metric
    for metric in (
        Metric(
            average_precision,
            "average precision",
            "objects found, as a share of those found, missed and made up; found means an overlap (IoU) above 0.5",
            "higher",
            NO_OBJECT,
        ),
        Metric(
            mean_average_precision,
            "mean AP, IoU 0.5 – 0.95",
            "the same where found means an overlap above 0.5, 0.55 … 0.95: how many objects, and how exactly",
            "higher",
            NO_OBJECT,
        ),
        Metric(
            panoptic_quality,
            "panoptic quality",
            "overlap (IoU) of the objects found, less for those missed and made up",
            "higher",
            NO_OBJECT,
        ),
        Metric(
            seg,
            "SEG",
            "overlap (IoU) of each true object with the segment that covers more than half of it, 0 where none does",
            "higher",
            NO_TRUTH,
            by_objects=True,
        ),
        Metric(
            det,
            "DET",
            "1 less the work to mend what is missed (10), merged (5) and made up (1), over 10 for each true object",
            "higher",
            NO_TRUTH,
            by_objects=True,
        ),
        Metric(
            size_ratio,
            "size ratio",
            "pixels of the segments that match an object, divided by those of these objects: 1 is right",
            "",
            "no object is found",
        ),
        Metric(
            v_rand,
            "V_rand",
            "whether pairs of object pixels are rightly together or apart, however wide the borders are",
            "higher",
            NO_TRUTH,
        ),
        Metric(v_rand_split, "V_rand split", "the same, spoilt by splits alone", "higher", NO_TRUTH),
        Metric(v_rand_merge, "V_rand merge", "the same, spoilt by mergers alone", "higher", NO_TRUTH),
        Metric(
            v_info,
            "V_info",
            "how much segments tell of the objects, and these of them, in bits, however wide the borders are",
            "higher",
            "truth has no object, or one object is one segment",
        ),
        Metric(v_info_split, "V_info split", "the same, spoilt by splits alone", "higher", NO_TRUTH),
        Metric(v_info_merge, "V_info merge", "the same, spoilt by mergers alone", "higher", NO_TRUTH),
        Metric(
            rand_f,
            "Rand F",
            "whether pairs of object pixels are rightly together or apart, which splits and mergers spoil",
            "higher",
            NO_TRUTH,
        ),
        Metric(rand_split, "Rand split", "the same, spoilt by splits alone", "higher", NO_TRUTH),
        Metric(rand_merge, "Rand merge", "the same, spoilt by mergers alone", "higher", NO_TRUTH),
        Metric(info_split, "information split", "bits that splits lose none of", "higher", NO_TRUTH),
        Metric(info_merge, "information merge", "bits that mergers lose none of", "higher", NO_TRUTH),
        Metric(rand_error, "Rand error", "1 less Rand F", "lower", NO_TRUTH),
        Metric(
            dice,
            "Dice",
            "object pixels that both have, as a share of the mean of both, whichever object they belong to",
            "higher",
            NO_OBJECT,
        ),
        Metric(
            iou,
            "IoU",
            "overlap of object pixels with those of truth, whichever object they belong to",
            "higher",
            NO_OBJECT,
        ),
        Metric(
            pixel_error,
            "pixel error",
            "pixels that are object in one and background in the other, as a share of all",
            "lower",
            NO_PIXEL,
        ),
        Metric(board_pixel_error, "pixel error of the ISBI board", "1 less Dice", "lower", NO_OBJECT),
        Metric(
            warping_error,
            "warping error",
            "pixels at which objects are torn, joined, pierced or lost, wherever their borders went, as a share of all",
            "lower",
            NO_PIXEL,
        ),
    )
    if metric.function
}
"""Every metric by the name of its function, the most telling first: the order of figures and columns.

A report has those of `evaluate.metrics`; CONTRIBUTING.md says how one is added."""
