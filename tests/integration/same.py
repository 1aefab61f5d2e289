"""Whether two datasets hold the same: recipes, plans, every pixel and every row."""

import numpy as np

from unet.ledger.results import labels_of, scores_of, weights_of
from unet.store.arrays import open_array
from unet.store.tables import read_table


def results(dataset, name):
    return weights_of(dataset, name), scores_of(dataset, "unet", name), labels_of(dataset, name, "unet")


def arrays(result):
    """Every array of a committed result, pyramids too."""
    attributes = result.attributes()
    levels = [
        level["path"] for scales in attributes.get("ome", {}).get("multiscales", []) for level in scales["datasets"]
    ]
    return [
        np.asarray(open_array(result.folder / path)[...]) for path in [*attributes.get("arrays", {}).values(), *levels]
    ]


def assert_same(one, other, names="abc"):
    for name in names:
        for here, there in zip(results(one, name), results(other, name), strict=True):
            assert (here.stamp() is None) == (there.stamp() is None)
            if here.stamp() is None:
                continue
            assert here.stamp().recipe == there.stamp().recipe
            assert here.stamp().plan | {"attempt": 1} == there.stamp().plan | {"attempt": 1}
            for mine, expected in zip(arrays(here), arrays(there), strict=True):
                np.testing.assert_array_equal(mine, expected)
        assert read_table(one, "unet", name).equals(read_table(other, "unet", name))
