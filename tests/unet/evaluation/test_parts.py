"""Law of the headline: it is of the part that is trusted most, of those that there are."""

from itertools import combinations

import pytest

from unet.evaluation.parts import PARTS, headline_part


@pytest.mark.parametrize("there", [set(some) for number in range(5) for some in combinations(PARTS, number)])
def test_the_headline_is_the_first_part_that_is_there(there):
    expected = [part for part in ("test", "validation", "new", "training") if part in there]
    assert headline_part({"model": "unet", **{key: {} for key in there}}) == (expected[0] if expected else None)
