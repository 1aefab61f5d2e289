"""What is scored together, and what is read at once: planes, volumes of 3-D segments, windows of large planes."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from tasks import segment
from tasks.reporting import comparison
from tasks.reporting.chosen_metrics import chosen_metrics
from tasks.reporting.comparison import BothLabels, score, scored_planes
from tests.classes import put_model, put_scores
from unet.dataset.record_file import read_record, set_values
from unet.evaluation.contingency import contingency
from unet.evaluation.metrics import METRICS
from unet.evaluation.object_errors import object_errors
from unet.images.planes import Plane
from unet.settings.evaluate import KNOWN, MEMBRANES, OBJECTS, Evaluate
from unet.training.split import PlaneRange


@pytest.fixture
def segmented(make, stage):
    """Makes a stack a of this truth, whose segments are what its scores connect: `segmented(truth, scores > 0)`."""

    def made(truth, found, source=None, **settings):
        image = ((truth > 0) * 900 + 50).astype(np.uint16)
        dataset = make({"a": (image, truth)}, source, segment__min_size=1, evaluate__bootstrap_resamples=20, **settings)
        stage(dataset, "ingest")
        put_model(dataset, ["object"], channels=["0"])
        set_values(dataset, {"predict.model": "net"})
        put_scores(dataset, np.squeeze(np.uint8(found) * np.uint8(220))[None])  # a file of one plane has no z
        segment.segment_stacks.fn(dataset.url, ["a"], "net", read_record(dataset).segment)
        return dataset

    return made


def towers(planes, side, pitch=16):
    """Columns of cells, each four planes high, with a plane of background above every second one only."""
    z, y, x = np.indices((planes, side, side))
    inside = (y % pitch > 2) & (x % pitch > 2)
    column = (y // pitch) * (side // pitch) + x // pitch
    truth = np.where(inside, column * (planes // 4 + 1) + z // 4 + 1, 0)
    return truth.astype(np.uint16), inside & ((z % 8 != 7) | (z == planes - 1))


@given(st.integers(0, 20), st.integers(1, 20), st.integers(1, 7))
def test_every_plane_of_a_part_is_scored_once_and_none_with_another_frame(start, count, depth):
    ranges = list(scored_planes(PlaneRange("a", start, start + count, "validation"), depth))
    assert [plane for each in ranges for plane in each] == list(range(start, start + count))
    assert all(len({plane // depth for plane in each}) == 1 for each in ranges)


def test_segments_of_volumes_are_scored_as_volumes(segmented):
    truth, found = towers(8, 64)
    dataset = segmented(truth, found, segment__dimensions=3)
    part = PlaneRange("a", 0, 8, "validation")
    (one,) = score(dataset, part, "net", metrics=KNOWN)
    segments, _ = ndimage.label(found)
    table = contingency(truth, segments)
    assert (one.plane, one.objects, one.segments) == (0, 32, 16)
    assert one.errors == object_errors(table).counts()
    assert one.errors["merged"] == 32
    assert one.values["average_precision"] == 0  # two cells each, though no plane shows it
    for name, metric in METRICS.items():
        if metric.reads == "table":
            assert one.values[name] == pytest.approx(metric.of_table(table), nan_ok=True), name
    planes = [METRICS["v_rand"].value(*plane) for plane in zip(truth, segments, strict=True)]
    assert one.values["v_rand"] == pytest.approx(np.mean(planes))
    upper = score(dataset, PlaneRange("a", 0, 3, "training"), "net")[0]
    assert upper.values["average_precision"] == 1  # of the planes of a part alone


def test_objects_of_masks_end_at_their_plane(segmented):
    """What is one segment along z is two objects of the mask, hence nothing is told of z."""
    truth, found = towers(4, 48)
    dataset = segmented(np.uint8(truth > 0) * np.uint8(255), found, {"foreground": 255}, segment__dimensions=3)
    scored = score(dataset, PlaneRange("a", 0, 4, "validation"), "net")
    assert [(one.plane, one.values["average_precision"]) for one in scored] == [(0, 1), (1, 1), (2, 1), (3, 1)]


def test_truth_that_was_cropped_is_told(segmented):
    truth, found = towers(2, 48)
    both = BothLabels.of(segmented(truth, found), "a", "net")
    small = BothLabels([Plane(truth[..., :40], ((0,),))], both.segments, None, 1)
    with pytest.raises(ValueError, match="truth must have the pixels of segments, got 48 x 40, 48 x 48; draw it anew"):
        list(small.windows(0))


def test_segments_of_planes_are_scored_plane_by_plane(segmented):
    truth, found = towers(4, 48)
    scored = score(segmented(truth, found), PlaneRange("a", 1, 4, "validation"), "net")
    assert [one.plane for one in scored] == [1, 2, 3]
    assert all(one.values["average_precision"] == 1 for one in scored)
    assert all(list(one.values) == list(OBJECTS) for one in scored)


@pytest.mark.parametrize(("dimensions", "shape"), [(3, (64, 192, 192)), (2, (1, 1536, 1536))])
def test_a_stack_twice_as_large_as_memory_is_scored(segmented, monkeypatch, dimensions, shape):
    """Labels are 6 bytes a pixel; a window has some 40 of its own."""
    truth, found = towers(shape[0], shape[1])
    dataset = segmented(truth, found, segment__dimensions=dimensions)
    part = PlaneRange("a", 0, shape[0], "validation")
    whole = score(dataset, part, "net")
    monkeypatch.setattr(comparison, "SIDE", 192)
    tracemalloc.start()
    windows = score(dataset, part, "net")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert windows == whole
    assert peak < truth.size * 6 / 2, f"{peak / 2**20:.1f} MB"


def test_what_nobody_judged_is_no_pixel_that_is_right(segmented):
    truth, found = towers(1, 64)
    truth[:, :32] = 60_000
    found[:, :40] = False
    dataset = segmented(truth, found, {"ignore": 60_000})
    part = PlaneRange("a", 0, 1, "validation")
    (one,) = score(dataset, part, "net")
    below = np.count_nonzero(truth[:, 32:40])
    assert one.values["pixel_error"] == pytest.approx(below / (32 * 64))
    assert BothLabels.of(dataset, "a", "net").read(0).judged.sum() == 32 * 64


@pytest.mark.parametrize(
    ("foreground", "share", "expected"),
    [("ids", 0.8, OBJECTS), (255, 0.8, MEMBRANES), (255, 0.2, OBJECTS), (0, 0.2, MEMBRANES)],
)
def test_metrics_suit_the_truth(make, stage, foreground, share, expected):
    truth = np.zeros((2, 40, 40), np.uint8)
    truth[:, : int(share * 40)] = 255
    dataset = make({"a": (truth.astype(np.uint16), truth)}, {"foreground": foreground})
    stage(dataset, "ingest")
    assert chosen_metrics(dataset, ["a"], Evaluate()) == expected
    assert chosen_metrics(dataset, ["a"], Evaluate(metrics=("det", "iou"))) == ("det", "iou")


def test_every_metric_is_known_by_its_name():
    assert set(KNOWN) == set(METRICS)
