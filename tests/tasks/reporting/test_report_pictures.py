"""Which planes a report shows, and what they are called."""

import pytest

from tasks.reporting.comparison import Scored
from tasks.reporting.report_pictures import error_pictures
from unet.dataset.folder import Folder
from unet.training.split import PlaneRange


@pytest.mark.parametrize(
    ("values", "words"),
    [([0.5], ["only"]), ([0.5, 0.7], ["worst", "best"]), ([0.5, 0.7, 0.6], ["worst", "median", "best"])],
)
def test_one_plane_is_neither_worst_nor_best(dataset, tmp_path, values, words):
    planes = [PlaneRange(name, plane, plane + 1, "validation") for name, plane in [("b", 0), ("b", 1), ("a", 0)]]
    scored = [Scored(of, of.start, {"iou": value}, 3) for of, value in zip(planes, values, strict=False)]
    shown = error_pictures(dataset, "unet", scored, Folder(str(tmp_path)))
    assert [picture.title.partition(":")[0] for picture in shown] == words
    assert {path.stem for path in tmp_path.glob("*.png")} == set(words)
