"""Laws of what looks wrong about stacks: files that are two of them, slices beside the truth of their neighbours."""

import pytest

from unet.sources.notes import odd_stacks
from unet.sources.stacks import Stack


def stack(name="a", files=("/raw/a.tif",), truth=(), axis=None, source="raw"):
    return Stack(name, tuple(files), None, axis, tuple(truth), "ids", source=source)


def test_a_file_of_two_sources_is_told_once_for_all_that_are_like_it():
    first = [stack(name, [f"/raw/day/{name}.tif"]) for name in ("a", "b")]
    second = [stack(f"day__{name}", [f"/raw/day/{name}.tif"], source="all") for name in ("a", "b")]
    (note,) = odd_stacks([*first, *second])
    assert note.startswith("/raw/day/a.tif is two stacks, a and day__a, and 1 more like it, as sources overlap")
    assert note.endswith("leave raw or all out")


def test_scenes_of_one_file_are_stacks_of_their_own():
    assert list(odd_stacks([stack("a-s0"), stack("a-s1")])) == []


@pytest.mark.parametrize(
    ("truth", "is_odd"),
    [
        (["z0.tif", "z1.tif", "z2.tif"], False),
        (["z0.png", "z1.ome.tif", "z2.png"], False),
        (["m1.tif", "m2.tif", "m3.tif"], False),  # other names throughout are paired by their order
        (["z1.tif", "z2.tif", "z3.tif"], True),
        (["z0.tif", "z2.tif", "z3.tif"], True),
    ],
)
def test_slices_beside_the_truth_of_their_neighbours_are_told(truth, is_odd):
    slices = [f"/raw/s/z{z}.tif" for z in range(3)]
    notes = list(odd_stacks([stack("s", slices, [f"/drawn/s/{name}" for name in truth], "z")]))
    assert [note.partition(":")[0] for note in notes] == ["s"] * is_odd
