"""Stacks without truth: their tables' numbers, the least certain first, whatever a table lacks."""

import numpy as np
import pytest

from tasks import segment
from tasks.reporting.unjudged_stacks import LOOKED_AT, look_at, segment_scores, unjudged_names, unjudged_table
from tests.classes import put_model, put_scores
from unet.dataset.record_file import read_record, set_values
from unet.images.synthetic import draw_stack
from unet.store.tables import read_table


@pytest.fixture
def segmented(make, stage):
    """Three stacks of two planes and their segments: of `dim` all scores are low, `none` has no segment."""
    drawn = {
        name: (draw_stack(planes=2, side=64, seed=seed)[0], None) for seed, name in enumerate(("clear", "dim", "none"))
    }
    dataset = make(drawn, segment__min_size=4)
    stage(dataset, "ingest")
    put_model(dataset, ("object",), channels=["0"])
    set_values(dataset, {"predict.model": "net"})
    for name, score in (("clear", 250), ("dim", 150), ("none", 0)):
        scores = np.zeros((1, 2, 64, 64), np.uint8)
        scores[0, :, 5:25, 5:25] = score
        scores[0, 1, 40:50, 40:50] = min(score, 140)
        put_scores(dataset, scores, name)
    segment.segment_stacks.fn(dataset.url, list(drawn), "net", read_record(dataset).segment)
    return dataset


def test_numbers_are_those_of_the_table_and_the_least_certain_comes_first(segmented):
    names = unjudged_names(segmented, "net", [])
    assert names == ["clear", "dim", "none"]
    found = look_at(segmented, "net", names)
    assert [one.name for one in found] == ["dim", "clear", "none"]
    for one in found[:2]:
        table = read_table(segmented, "net", one.name).to_pydict()
        assert one.count == len(table["id"]) == 3
        assert one.certainty == pytest.approx(np.mean(table["score_mean"]))
        assert one.size == pytest.approx(np.median(table["area_um2"]))
        assert one.uncertain == sum(score < 0.75 for score in table["score_mean"])
        assert one.certainties.sum() == one.sums.segment_sizes.sum() == 3
        assert one.plane == 1


def test_a_stack_without_segments_is_told_of_and_not_certain(segmented):
    nothing = look_at(segmented, "net", ["none"])[0]
    assert (nothing.count, nothing.certainty, nothing.size, nothing.uncertain) == (0, None, None, 0)
    table = unjudged_table([nothing], 1)
    assert table.rows == [["none", "0", "–", "–", "0"]]


def test_what_is_compared_is_not_among_them(segmented):
    assert unjudged_names(segmented, "net", ["dim"]) == ["clear", "none"]


def test_of_very_many_some_are_looked_at_evenly_spread(segmented):
    found = look_at(segmented, "net", ["clear"] * (LOOKED_AT + 1))
    assert len(found) == LOOKED_AT // 2 + 1
    assert "501 stacks without truth, of which 251, evenly spread, were looked at" in unjudged_table(found, 501).said


def test_each_segment_has_its_score(segmented):
    ids, scores = segment_scores(segmented, "net", "dim")
    assert ids.tolist() == [1, 2, 3]
    assert (scores < 0.75).all()
