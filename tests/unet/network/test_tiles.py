"""Laws of tiles: every pixel is written once, in the network's phase, from all that the network sees."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unet.images.windows import Window
from unet.network.tiles import FIXED_SIDE, plan_tiles, reading_window
from unet.settings.architecture import Architecture
from unet.store.shards import plane_layout, regions

FORMS = [("valid", "transposed"), ("same", "transposed"), ("same", "bilinear")]
architectures = st.builds(
    lambda depth, form: Architecture(depth=depth, padding=form[0], up=form[1]),
    st.integers(1, 5),
    st.sampled_from(FORMS),
)


@st.composite
def planned(draw):
    """A network, a region at a multiple of 2^depth, and the largest side of a tile."""
    architecture = draw(architectures)
    y, x = (architecture.multiple * draw(st.integers(-3, 9)) for _ in "yx")
    region = Window(y, x, draw(st.integers(1, 200)), draw(st.integers(1, 200)))
    return architecture, region, draw(st.integers(1, 130))


@settings(deadline=None)
@given(planned())
def test_every_pixel_is_written_by_exactly_one_tile(plan):
    architecture, region, side = plan
    count = np.zeros((region.height, region.width), int)
    for tile in plan_tiles(region, side, architecture):
        write = tile.write.within(region)
        assert min(write.y, write.x) >= 0
        assert max(write.height, write.width) <= max(side, architecture.multiple)
        count[write.slices] += 1
    assert (count == 1).all()


@given(planned())
def test_a_tile_begins_in_phase_and_reads_a_legal_input_with_its_context(plan):
    architecture, region, side = plan
    for tile in plan_tiles(region, side, architecture):
        read, write = tile.read, tile.write
        assert write.y % architecture.multiple == write.x % architecture.multiple == 0
        assert (write.y - read.y, write.x - read.x) == (architecture.context, architecture.context)
        assert read.y + read.height - write.y - write.height >= architecture.context
        assert read.x + read.width - write.x - write.width >= architecture.context
        for size, written in ((read.height, write.height), (read.width, write.width)):
            given_back = architecture.output_size(size) - (
                0 if architecture.padding == "valid" else 2 * read_halo(tile)
            )
            assert written <= given_back < written + architecture.multiple


def read_halo(tile):
    return tile.write.y - tile.read.y


def test_tiles_come_in_raster_order():
    tiles = plan_tiles(Window(16, 32, 40, 50), 32, Architecture())
    assert [(t.write.y, t.write.x) for t in tiles] == [(16, 32), (16, 64), (48, 32), (48, 64)]


def test_a_side_below_the_multiple_becomes_the_multiple():
    assert [t.write.height for t in plan_tiles(Window(0, 0, 40, 1), 3, Architecture())] == [16, 16, 8]


def test_the_papers_tile():
    assert reading_window(Window(0, 0, 388, 388), Architecture()) == Window(-92, -92, 572, 572)


@pytest.mark.parametrize("region", [Window(8, 0, 9, 9), Window(0, -8, 9, 9)])
def test_a_region_out_of_phase_is_refused(region):
    with pytest.raises(ValueError, match=r"must be a multiple of 2\^depth = 16, got"):
        plan_tiles(region, 64, Architecture())


@given(st.integers(1, 1500), st.integers(1, 1500))
def test_tiles_of_a_network_that_is_not_tileable_all_read_as_much(height, width):
    """Whatever they write, which is still a partition: their scores depend on the size of what is read."""
    architecture = Architecture(padding="same", up="bilinear-aligned")
    tiles = plan_tiles(Window(512, 0, height, width), FIXED_SIDE, architecture)
    assert {(t.read.height, t.read.width) for t in tiles} == {(736, 736)}
    assert {(t.write.y - t.read.y, t.write.x - t.read.x) for t in tiles} == {(112, 112)}
    assert sum(t.write.height * t.write.width for t in tiles) == height * width


@given(st.tuples(st.integers(1, 4), st.integers(1, 20_000), st.integers(1, 20_000)), st.sampled_from([1, 4]))
def test_fixed_tiles_are_counted_from_the_images_origin_in_every_shard(shape, itemsize):
    for region in islice(regions(plane_layout(shape, itemsize)), 40):
        assert [part.start % FIXED_SIDE for part in region[-2:]] == [0, 0]
