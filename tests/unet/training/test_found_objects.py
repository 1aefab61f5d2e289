"""Laws of what settings are looked for: of one class its own scores beside its truth alone, for each class by name."""

import numpy as np
import pytest

from unet.labels.class_of_ids import ClassOfIds
from unet.labels.scores import of_any, own_scores
from unet.ledger.found_settings import BY_CLASS
from unet.training import found_objects
from unet.training.found_objects import ALL_OBJECTS, FoundObjects, Objects, found_of_each, object_count
from unet.training.scored_truth import ScoredTruth

NAMES = ("nucleus", "mitosis", "debris")


def found_of(count, threshold):
    return FoundObjects({"threshold": threshold}, count)


def test_each_class_has_its_own_beside_those_of_the_most_objects():
    found = {1: found_of(3, 0.3), 2: found_of(9, 0.6), 3: None}
    kept = found_of_each(lambda objects: found[objects.number], NAMES, (1, 2, 3))
    assert kept == {"threshold": 0.6, BY_CLASS: {"nucleus": {"threshold": 0.3}, "mitosis": {"threshold": 0.6}}}


def test_of_one_class_there_are_those_of_all_objects():
    asked = []
    assert found_of_each(lambda objects: asked.append(objects) or found_of(3, 0.3), (), (1,)) == {"threshold": 0.3}
    assert asked == [Objects(chosen=(1,))]


@pytest.mark.parametrize("classes", [(), NAMES])
def test_where_there_is_no_object_nothing_is_found(classes):
    assert found_of_each(lambda objects: None, classes, (1, 2, 3)) is None


def test_scores_of_one_class_are_its_own_among_the_chosen_ones():
    scores = np.random.default_rng(0).integers(0, 255, (2, 1, 5, 5)).astype(np.uint8)
    one = Objects(NAMES, 3, (1, 3))
    np.testing.assert_array_equal(one.scores(scores), own_scores(scores)[1])
    np.testing.assert_array_equal(ALL_OBJECTS.scores(scores), of_any(scores))
    assert (one.name, ALL_OBJECTS.name) == ("debris", None)


def test_truth_of_one_class_is_its_ids_alone(monkeypatch):
    known = ClassOfIds(("mitosis", "nucleus"), np.array([3, 5, 9]), np.array([1, 2, 1], np.uint8))
    monkeypatch.setattr(found_objects, "read_classes", lambda _: known)
    ids = np.array([[3, 5, 9, 0]])
    assert Objects(NAMES, 2, (1, 2, 3)).truth(ids, None).tolist() == [[3, 0, 9, 0]]
    assert ALL_OBJECTS.truth(ids, None) is ids


def test_objects_are_counted_in_each_block():
    ids = np.array([[1, 1, 0, 7]])
    assert object_count([ScoredTruth(ids, ids), ScoredTruth(ids, ids * 0)]) == 2
