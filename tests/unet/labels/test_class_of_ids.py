"""Laws of the classes of ids: each pixel has the class of its id, whatever order and form they are kept in."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet.dataset.folder import Folder
from unet.labels.class_of_ids import ClassOfIds, SeenClasses, write_classes

NAMES = ("nucleus", "mitosis", "debris")
tables = st.dictionaries(st.integers(1, 2**32), st.integers(1, 3), min_size=1, max_size=30)


def of_table(table):
    ids = np.array(sorted(table), np.int64)
    return ClassOfIds(NAMES, ids, np.array([table[each] for each in ids.tolist()], np.uint8))


@given(tables, st.data())
def test_each_pixel_has_the_class_of_its_id(table, data):
    labels = np.array(data.draw(st.lists(st.sampled_from([0, *table]), min_size=6, max_size=6))).reshape(2, 3)
    known = ClassOfIds.of_plain(json.loads(json.dumps(of_table(table).plain())))
    expected = [[table.get(each, 0) for each in row] for row in labels.tolist()]
    assert known.of(labels).tolist() == expected
    assert known.in_order(NAMES[::-1]).of(labels).tolist() == [[c and 4 - c for c in row] for row in expected]


@given(tables, st.integers(1, 2**32))
def test_an_id_without_a_class_is_named(table, other):
    if other not in table:
        with pytest.raises(ValueError, match=f"got none for {other};"):
            of_table(table).of(np.array([[other, 0]]))


def test_all_ids_are_of_the_only_class():
    assert ClassOfIds.of_one().of(np.array([[0, 3, 8]])).tolist() == [[0, 1, 1]]


def test_other_ids_of_the_only_class_are_of_it_too_and_keep_it_among_others():
    known = ClassOfIds.of_plain({"nucleus": [[1, 2]]})
    assert known.of(np.array([[0, 1, 9]])).tolist() == [[0, 1, 1]]
    assert known.in_order(("debris", "nucleus")).of(np.array([[0, 1, 9]])).tolist() == [[0, 2, 2]]
    assert ClassOfIds.of_one().in_order(("nucleus", "object")).of(np.array([[0, 3]])).tolist() == [[0, 2]]
    assert ClassOfIds.of_plain({"nucleus": []}).of(np.array([[0, 0]])).tolist() == [[0, 0]]


def test_an_id_is_seen_with_one_class(tmp_path):
    seen = SeenClasses(NAMES, np.array([7, 8]), "a.csv")
    seen.add(np.array([7, 9]), np.array([1, 255]))
    seen.add(np.array([7]), np.array([1]))
    assert seen.found_so_far().plain() == {"nucleus": [[7, 7]], "mitosis": [], "debris": []}
    with pytest.raises(ValueError, match=r"^a\.csv must be of ids that truth has, got 8; take"):
        seen.found()
    write_classes(Folder(str(tmp_path / "classes.json")), seen.found_so_far())
    for _ in range(600):  # planes
        seen.add(np.array([7, 8]), np.array([1, 2]))
    assert seen.found().plain() == {"nucleus": [[7, 7]], "mitosis": [[8, 8]], "debris": []}
    seen.add(np.array([7]), np.array([2]))
    with pytest.raises(ValueError, match="must have one class, got nucleus and mitosis for 7; draw"):
        seen.found()
    assert json.loads((tmp_path / "classes.json").read_text()) == {"nucleus": [[7, 7]], "mitosis": [], "debris": []}


@pytest.mark.parametrize(
    "values",
    [
        *([], {"a": 3}, {"a": [[1]]}, {"a": [[2, 1]]}, {"a": [[1, 2**60]]}),
        *({"a": [[1, 2]], "b": [[2, 2]]}, {"a": [["x", 1]]}),
    ],
)
def test_a_damaged_file_is_told(values):
    with pytest.raises(ValueError, match=r"classes\.json"):
        ClassOfIds.of_plain(values)
