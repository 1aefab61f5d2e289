"""The side of blocks: within its bounds, never one of which the count says that another costs less."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet.network import block_sides
from unet.network.block_sides import LEAST, MOST, STEP, block_side, cache_share, cost_of_blocks, level_side
from unet.settings.architecture import Architecture

sides = st.integers(64, 5000)


@given(st.sampled_from([8, 16, 64, 4096]), st.integers(1, 5), st.tuples(sides, sides), st.sampled_from([1, 2, 16, 64]))
def test_a_side_is_legal_and_none_that_fits_costs_less(base, depth, tile, threads):
    architecture = Architecture(base=base, depth=depth)
    chosen = block_side(architecture, tile, threads, 16e6)
    assert LEAST <= chosen <= MOST
    assert chosen % STEP == 0
    for other in range(LEAST, chosen, STEP):
        assert cost_of_blocks(architecture, tile, chosen, threads) <= cost_of_blocks(architecture, tile, other, threads)


@given(st.integers(64, 400), st.tuples(sides, sides), st.integers(1, 64))
def test_no_thread_has_less_than_an_even_share(side, tile, threads):
    assert cost_of_blocks(Architecture(depth=3), tile, side, threads) > 1


@pytest.mark.parametrize("threads", [16, 64])
def test_many_threads_have_enough_blocks_in_a_large_tile(threads):
    """By count, as no machine of ours has as many; at worst, which is seldom."""
    architecture, tile = Architecture(base=32, depth=4, padding="same"), (4288, 4288)
    chosen = block_side(architecture, tile, threads, 4e6)
    assert cost_of_blocks(architecture, tile, chosen, threads) < 1.55
    assert cost_of_blocks(architecture, tile, 384, threads) > 1.2 * cost_of_blocks(architecture, tile, chosen, threads)


def test_levels_below_have_as_many_values_in_a_block():
    assert [level_side(256, level) for level in range(5)] == [256, 180, 128, 90, 64]
    assert level_side(64, 20) == 2


def test_the_last_cache_is_shared_by_the_cores_that_see_it(tmp_path, monkeypatch):
    for index, (size, cores) in enumerate([("32K", "1"), ("512K", "1"), ("32768K", "0000,000000ff")]):
        (tmp_path / f"index{index}").mkdir()
        (tmp_path / f"index{index}" / "size").write_text(f"{size}\n")
        (tmp_path / f"index{index}" / "shared_cpu_map").write_text(f"{cores}\n")
    monkeypatch.setattr(block_sides, "CACHES", tmp_path)
    assert cache_share() == 4 * 2**20


@pytest.mark.parametrize(("size", "cores"), [("large", "1"), ("32K", "0"), ("32K", "")])
def test_a_machine_that_does_not_say_has_an_ordinary_one(tmp_path, monkeypatch, size, cores):
    (tmp_path / "index0").mkdir()
    (tmp_path / "index0" / "size").write_text(size)
    (tmp_path / "index0" / "shared_cpu_map").write_text(cores)
    monkeypatch.setattr(block_sides, "CACHES", tmp_path)
    assert cache_share() == block_sides.UNKNOWN
    monkeypatch.setattr(block_sides, "CACHES", tmp_path / "none")
    assert cache_share() == block_sides.UNKNOWN
