"""Laws of how a stack is cut: frames stay whole, and a gap is as wide as what a plane of weights depends on."""

import numpy as np
import pytest

from tests.conftest import make_dataset
from unet.images.synthetic import draw_stack
from unet.ledger.results import image_of, weights_of
from unet.settings.weigh import Weigh
from unet.training.split import Extent
from unet.training.stack_extents import stack_extent
from unet.weight_maps.border_weights import weigh_block


@pytest.fixture
def solid(make, stage):
    image, truth = draw_stack(planes=12, side=64, seed=1)
    dataset = make({"a": (image, truth)}, weigh__dimensions=3, weigh__sigma=2.0)
    stage.all(dataset, until="weigh")
    return dataset


@pytest.mark.parametrize(
    ("shape", "extent"),
    [
        ((32, 32), Extent(1)),
        ((5, 32, 32), Extent(5)),
        ((4, 5, 32, 32), Extent(20, step=5)),
        ((4, 1, 32, 32), Extent(4)),
        ((1, 5, 32, 32), Extent(5)),
    ],
)
def test_planes_are_counted_over_t_and_z_and_frames_stay_whole(tmp_path, stage, shape, extent):
    dataset = make_dataset(tmp_path, {"a": (np.arange(np.prod(shape), dtype=np.uint16).reshape(shape), None)})
    stage(dataset, "ingest")
    assert stack_extent(dataset, "a") == extent
    given = stack_extent(dataset, "a", 3)
    assert (given.gap, given.is_gap_given) == (3, True)


def test_weights_beyond_the_gap_do_not_depend_on_what_is_kept_out(solid, level):
    """The law that makes the width: objects of a block that is kept out change no weight that trains."""
    extent = stack_extent(solid, "a")
    recipe, facts = weights_of(solid, "a").committed().recipe, image_of(solid, "a").committed().facts
    assert (recipe.settings["dimensions"], extent.is_gap_given) == (3, False)
    assert 1 < extent.gap < 12
    weigh = Weigh(dimensions=3, sigma=2.0)
    spacing = facts["spacing"]
    truth = np.zeros((40, 16, 16), np.uint16)
    truth[:, 2:6, 2:6], truth[20:, 8:12, 2:6] = 1, 2
    without = np.where(truth == 2, 0, truth)
    sizes = (spacing["z"] / spacing["x"], 1.0, 1.0)
    with_it, alone = (weigh_block(each, weigh, sizes)[1] for each in (truth, without))
    reached = np.flatnonzero((with_it != alone).any(axis=(1, 2)))
    assert 20 - extent.gap <= reached.min() < 20


def test_an_image_that_is_not_there_is_named(solid):
    with pytest.raises(LookupError, match="holds no finished result"):
        stack_extent(solid, "b")
