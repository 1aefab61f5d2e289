"""How numbers, amounts and names stand in a report."""

import json
import math
from collections.abc import Iterable
from typing import TypeGuard

from unet.evaluation.metrics import METRICS, Metric


def number(value: float | None) -> str:
    """Three decimals, more for small values.

    >>> number(0.9), number(0.00123), number(0), number(float("nan"))
    ('0.900', '0.00123', '0.000', 'undefined')
    """
    if not is_number(value):
        return "undefined"
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.01 else f"{value:.3g}"


def counted(amount: int, noun: str) -> str:
    """An amount and its noun.

    >>> counted(1, "plane"), counted(1200, "stack")
    ('1 plane', '1,200 stacks')
    """
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


def share(count: int, whole: int) -> str:
    """A part of a whole in percent, to two digits of it or of the rest; 100 % is all. Nothing of nothing.

    >>> share(1, 3), share(0, 0), share(3, 1000), share(433, 435), share(435, 435)
    ('33 %', '', '0.3 %', '99.54 %', '100 %')
    """
    if not whole:
        return ""
    part, rest = (float(f"{100 * of / whole:.2g}") for of in (count, whole - count))
    return f"{part if part <= rest else 100 - rest:.10g} %"


def metric(name: str) -> Metric:
    """How a metric is shown; one that is not in `METRICS` is shown by its name alone."""
    return METRICS.get(name) or Metric(None, name.replace("_", " "), "", "", "it is 0/0")


def in_order(names: Iterable[str]) -> list[str]:
    """Names of metrics in the order of `METRICS`, others after them."""
    order = {name: place for place, name in enumerate(METRICS)}
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a number, and finite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def cell_text(value: object) -> str:
    """What stands in a cell: words as they are, numbers short, a range from its low end to its high one."""
    if value is None:
        return "–"
    if isinstance(value, tuple | list):
        return " – ".join(cell_text(each) for each in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def plain_text(value: object) -> str:
    """A setting as text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
