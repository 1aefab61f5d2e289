"""The table of a report: one row a plane that was scored, as a spreadsheet reads it."""

import csv
import io
import math
from collections.abc import Sequence

from tasks.reporting.comparison import Scored
from tasks.reporting.mean_figures import metrics_of
from unet.evaluation.object_errors import KINDS


def planes_csv(scored: Sequence[Scored]) -> bytes:
    """CSV of all planes by stack and number: their part, counts and metrics; empty cells where one is undefined."""
    text, metrics = io.StringIO(), metrics_of(scored)
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["stack", "plane", "part", "objects", "segments", *KINDS, *metrics])
    rows.writerows(_row(one, metrics) for one in scored)
    return text.getvalue().encode()


def _row(one: Scored, metrics: Sequence[str]) -> list[object]:
    counts = [one.objects, one.segments, *(one.errors.get(kind, "") for kind in KINDS)]
    values = [one.values.get(name, math.nan) for name in metrics]
    figures = [f"{value:.6g}" if math.isfinite(value) else "" for value in values]
    return [one.part.stack, one.plane, one.part.use, *counts, *figures]
