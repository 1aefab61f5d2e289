"""Laws of batches: every name once and in order, none too large unless it is one name, none left half full."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tasks.execution.batches import batched


@given(st.lists(st.integers(0, 30)), st.integers(1, 20), st.one_of(st.none(), st.integers(1, 4)))
def test_batches_hold_every_name_once_within_their_limits(sizes, most, names):
    by_name = {f"{number}": size for number, size in enumerate(sizes)}
    batches = batched(by_name, most, names)
    assert [name for batch in batches for name in batch] == list(by_name)
    for batch in batches:
        assert names is None or len(batch) <= names
        assert len(batch) == 1 or sum(by_name[name] for name in batch) <= most
    for one, other in pairwise(batches):
        full = names is not None and len(one) == names
        assert full or sum(by_name[name] for name in one) + by_name[other[0]] > most
