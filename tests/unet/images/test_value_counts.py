"""Law of counts: they are numpy's, of every type of up to 16 bits, however the plane lies in memory."""

import numpy as np
import pytest

from unet.images.value_counts import count


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
@pytest.mark.parametrize("part", [np.s_[:], np.s_[:, 3:20:2], np.s_[:0]])
def test_counts_are_those_of_numpy(dtype, part):
    limits = np.iinfo(dtype)
    plane = np.random.default_rng(0).integers(limits.min, limits.max, (31, 40), dtype, endpoint=True)[part]
    counted = count(plane)
    values, counts = np.unique(plane, return_counts=True)
    seen = np.flatnonzero(counted.counts)
    assert (seen + counted.least).tolist() == values.tolist()
    assert counted.counts[seen].tolist() == counts.tolist()
    assert not plane.size or counted.of_greatest == np.count_nonzero(plane == plane.max())


@pytest.mark.parametrize("dtype", [np.uint32, np.float16, np.bool_])
def test_other_types_are_not_counted(dtype):
    assert count(np.zeros((2, 2), dtype)) is None
