"""A measure: one number of a table of truth and segments, offered to those who have two arrays of labels as well."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, Protocol, cast

from unet.evaluation.contingency import Contingency, LabelsOrMask, contingency, require_labels
from unet.evaluation.thinning import thinned
from unet.images.array_types import Mask


class Measure(Protocol):
    """A measure of truth and prediction, by two arrays of labels of one shape."""

    __name__: str
    reads: Literal["table", "thinned"]
    """Whether its table is of the segments, or of those of a y x plane thinned."""
    of_table: Callable[..., float]
    """The same, by that table."""

    def __call__(self, truth: LabelsOrMask, prediction: LabelsOrMask, /, *options: Any, **named: Any) -> float:
        """Its value; `judged` says where truth says something, default: everywhere."""


def of_table(figure: Callable[..., float]) -> Measure:
    """A measure, by what it is of a table; arguments after that one are options of it."""

    def measure(
        truth: LabelsOrMask, prediction: LabelsOrMask, *options: Any, judged: Mask | None = None, **named: Any
    ) -> float:
        require_labels(truth, prediction)
        return figure(contingency(truth, prediction, judged), *options, **named)

    return _measure(measure, figure, "table")


def of_thinned_table(figure: Callable[[Contingency], float]) -> Measure:
    """A measure of y x planes, by what it is of their thinned table."""

    def measure(truth: LabelsOrMask, prediction: LabelsOrMask, *, judged: Mask | None = None) -> float:
        require_labels(truth, prediction, plane=True)
        return figure(thinned_table(truth, prediction, judged))

    return _measure(measure, figure, "thinned")


def thinned_table(truth: LabelsOrMask, prediction: LabelsOrMask, judged: Mask | None = None) -> Contingency:
    """Table of a y x plane, or of a block of one, with segments grown until lines of one pixel part them."""
    return contingency(truth, thinned(prediction if judged is None else prediction * judged), judged)


def _measure(measure: Callable[..., float], figure: Callable[..., float], reads: str) -> Measure:
    """The measure with its figure's name, words and options."""
    own, options = (list(inspect.signature(each).parameters.values()) for each in (measure, figure))
    judged = next(parameter for parameter in own if parameter.name == "judged")
    made: Any = wraps(figure)(measure)
    made.__signature__ = inspect.Signature([*own[:2], *options[1:], judged])
    made.reads, made.of_table = reads, figure
    return cast(Measure, made)
