"""The table of a report: one row a plane that was scored, as a spreadsheet reads it."""

import csv
import io
import math
from collections.abc import Sequence

from tasks.reporting.comparison import Scored
from unet.evaluation.metrics import METRICS

ERRORS = ("found", "missed", "invented", "merged", "split")
"""What becomes of objects and segments, by the names that are counted."""


def planes_csv(scored: Sequence[Scored]) -> bytes:
    """CSV of all planes by stack and number: their part, counts and metrics; empty cells where one is undefined."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["stack", "plane", "part", "objects", "segments", *ERRORS, *METRICS])
    rows.writerows(map(_row, scored))
    return text.getvalue().encode()


def _row(one: Scored) -> list[object]:
    counts = [one.objects, one.segments, *(one.errors.get(kind, "") for kind in ERRORS)]
    values = [one.values.get(name, math.nan) for name in METRICS]
    figures = [f"{value:.6g}" if math.isfinite(value) else "" for value in values]
    return [one.part.stack, one.plane, one.part.use, *counts, *figures]
