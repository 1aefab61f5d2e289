"""Law of the table of planes: a row a plane, in order, whose empty cells are what is undefined or was not counted."""

import csv
import io
import math

from tasks.reporting.comparison import Scored
from tasks.reporting.planes_table import planes_csv
from unet.evaluation.metrics import METRICS
from unet.evaluation.object_errors import KINDS
from unet.training.split import PlaneRange


def test_each_plane_is_a_row_with_its_part_counts_and_figures():
    test, new = PlaneRange("a,\nb", 4, 6, "test"), PlaneRange("c", 0, 1, "new")
    errors = {"found": 3, "missed": 1, "invented": 0, "merged": 2, "split": 0}
    values = dict.fromkeys(METRICS, 0.123456789)
    scored = [
        Scored(test, 4, values, 6, errors=errors, segments=5),
        Scored(new, 0, values | {"seg": math.nan}, 0),
    ]
    rows = list(csv.DictReader(io.StringIO(planes_csv(scored).decode())))
    assert list(rows[0]) == ["stack", "plane", "part", "objects", "segments", *KINDS, *METRICS]
    first = {"stack": "a,\nb", "plane": "4", "part": "test", "objects": "6", "segments": "5"}
    assert rows[0] == first | {kind: str(number) for kind, number in errors.items()} | dict.fromkeys(
        METRICS, "0.123457"
    )
    assert [rows[1][name] for name in ("plane", "part", "objects", "found", "seg", "iou")] == [
        "0",
        "new",
        "0",
        "",
        "",
        "0.123457",
    ]


def test_what_was_not_measured_has_no_column():
    scored = [Scored(PlaneRange("a", 0, 1, "new"), 0, {"seg": 0.5}, 2)]
    assert planes_csv(scored).decode().splitlines()[0].endswith(",split,seg")
