"""Laws of the numeric plan: within the memory, no tile is better; less memory is never planned with more."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.conftest import examples
from unet.network.numeric_plan import NumericPlan, PlanLimits, largest_plan, memory_of, smaller_plan, useful
from unet.settings.architecture import Architecture

few = examples(20)


@st.composite
def rooms(draw):
    up = draw(st.sampled_from(["transposed", "bilinear"]))
    padding = "same" if up == "bilinear" else draw(st.sampled_from(["same", "valid"]))
    architecture = Architecture(draw(st.integers(1, 3)), 2, draw(st.sampled_from([8, 16, 64])), draw(st.integers(1, 4)))
    side = st.integers(1, 4096)
    return PlanLimits(
        architecture=replace(architecture, up=up, padding=padding),
        sides=(draw(side), draw(side)),
        device=draw(st.sampled_from(["cpu", "cuda"])),
        precision=draw(st.sampled_from(["float32", "float16"])),
        score_bytes=1,
        memory=draw(st.sampled_from([1e9, 2e9, 4e9, 64e9])),
        largest=draw(st.sampled_from([None, 1, 500, 5000])),
        threads=draw(st.sampled_from([1, 2, 16])),
    )


@few
@given(rooms())
def test_a_plan_fits_and_is_legal(room):
    least = largest_plan(replace(room, memory=1e15))
    while (less := smaller_plan(room, least)) is not None:
        least = less
    assume(memory_of(room, least.tile) <= room.memory)
    plan = largest_plan(room)
    assert memory_of(room, plan.tile) <= room.memory
    assert all(side % room.architecture.multiple == 0 for side in plan.tile)
    assert room.largest is None or max(plan.tile) <= max(room.largest, room.architecture.multiple)
    more = largest_plan(replace(room, memory=2 * room.memory))
    assert useful(room, more.tile) >= useful(room, plan.tile)
    assert NumericPlan.of(plan.plain) == plan


@few
@given(rooms())
def test_smaller_plans_end(room):
    plan, seen = largest_plan(replace(room, memory=1e15)), 0
    while (less := smaller_plan(room, plan)) is not None:
        assert less.batch < plan.batch or less.tile[0] * less.tile[1] < plan.tile[0] * plan.tile[1]
        plan, seen = less, seen + 1
        assert seen < 60


def test_a_network_that_is_not_tileable_has_its_fixed_tiles_and_no_smaller_ones():
    aligned = Architecture(padding="same", up="bilinear-aligned")
    room = PlanLimits(aligned, (2048, 2048), "cpu", "float32", 1, 1e6)
    assert largest_plan(room).tile == (512, 512)
    assert smaller_plan(room, largest_plan(room)) is None


def test_small_planes_share_a_pass_on_a_gpu_alone():
    room = PlanLimits(Architecture(padding="same"), (256, 256), "cuda", "float16", 1, 64e9)
    assert largest_plan(room).batch == 2**22 // (256 + 192) ** 2
    assert largest_plan(replace(room, device="cpu")).batch == 1
    assert largest_plan(replace(room, sides=(4096, 4096))).batch == 1


def test_too_little_memory_is_refused_with_what_is_needed():
    room = PlanLimits(Architecture(base=16, padding="same"), (4096, 4096), "cpu", "float32", 1, 5e8)
    with pytest.raises(
        ValueError, match=r"predict\.memory_gb must hold at least the smallest tile, [\d.]+ GB, got 0\.5"
    ):
        largest_plan(room)
