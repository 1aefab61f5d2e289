from itertools import product
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from unet.formats.readers import open_found, open_truth
from unet.settings.ingest import Source
from unet.sources.name_patterns import Pattern, pattern_groups
from unet.sources.pattern_guess import guess_pattern
from unet.sources.plane_grids import AXES
from unet.sources.search import find_stacks
from unet.sources.stacks import Scenes, Well

TOP = Path("/raw")


def grouped(pattern, *names):
    return pattern_groups(Pattern(pattern), TOP, [TOP / name for name in names])


def keys(found):
    return [group.key for group in found.groups]


def one_scene(file):
    return Scenes(1)


def find(root, *names, pattern, **settings):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return find_stacks([Source("raw", pattern=pattern, **settings)], root, one_scene)


@st.composite
def grids(draw):
    """A pattern, and the words of each axis in it."""
    axes = draw(st.permutations(AXES).map(lambda axes: axes[: draw(st.integers(1, 3))]))
    wide = draw(st.integers(0, 3))
    numbers = st.tuples(st.integers(0, 12), st.integers(1, 4))
    words = {
        axis: [str(first + n).zfill(wide) for n in range(count)] for axis in axes for first, count in [draw(numbers)]
    }
    if "c" in axes and draw(st.booleans()):
        words["c"] = draw(st.lists(st.sampled_from(["DAPI", "Cy5 long", "c2", "405-nm"]), min_size=1, unique=True))
    parts = [f"{axis}{{{axis}}}" for axis in axes]
    return draw(st.sampled_from(["{name}/", "{name}_", "day 1/{name}_"])) + "_".join(parts) + ".tif", words


@given(grids(), st.sets(st.sampled_from(["a", "b_z1", "c.d", "e 7"]), min_size=1), st.randoms())
def test_any_grid_that_is_written_by_a_pattern_is_found_as_that_grid(grid, names, random):
    text, words = grid
    axes = [axis for axis in AXES if axis in words]
    pattern = Pattern(text)
    places = [dict(zip(axes, at, strict=True)) for at in product(*(words[axis] for axis in axes))]
    files = [TOP / pattern.filled({"name": name, **at}) for name in names for at in places]
    found = pattern_groups(pattern, TOP, random.sample(files, len(files)))
    assert len(found.groups) == len(names)
    assert not found.rest
    for group in found.groups:
        assert group.refused == ""
        assert {axis: set(of) for axis, of in group.grid} == {axis: set(of) for axis, of in words.items()}
        at = [dict(zip(axes, of, strict=True)) for of in product(*(of for _, of in group.grid))]
        read = [pattern.fields_of(Path(file).relative_to(TOP).as_posix())[1] for file in group.files]
        assert [{axis: of[axis] for axis in axes} for of in read] == at


@given(st.integers(2, 4), st.integers(3, 6), st.data())
def test_a_plane_that_is_missing_is_named(channels, planes, data):
    places = [(z, c) for z in range(1, planes + 1) for c in range(1, channels + 1)]
    z, c = data.draw(st.sampled_from(places))
    names = [f"a_z{at[0]}_c{at[1]}.tif" for at in places if at != (z, c)]
    (group,) = grouped("{name}_z{z}_c{c}.tif", *names).groups
    assert f"got none for c {c}, z {z} (a_z{z}_c{c}.tif would be it)" in group.refused
    assert len(group.files) == len(places) - 1
    assert group.grid == ()


def test_a_number_that_is_left_out_everywhere_is_missing_too():
    (group,) = grouped("{name}_z{z}.tif", *(f"a_z{z:03}.tif" for z in (1, 2, 4, 5))).groups
    assert group.refused == (
        "a must have all planes, got none for z 003 (a_z003.tif would be it); copy it, or exclude the stack"
    )
    (group,) = grouped("{name}_z{z}.tif", *(f"a_z{z}.tif" for z in (0, 50, 100))).groups
    assert group.refused == ""
    (group,) = grouped("{name}_t{t}.tif", *(f"a_t{t}.tif" for t in (0, 5, 15, 60))).groups
    assert group.refused == ""


def test_two_files_for_one_plane_are_refused():
    (group,) = grouped("{name}_z{z}*.tif", "a_z1.tif", "a_z1_copy.tif", "a_z2.tif").groups
    assert "must have one file for each plane, got /raw/a_z1.tif and /raw/a_z1_copy.tif for z 1" in group.refused


def test_words_have_their_natural_order():
    (group,) = grouped("{name}_z{z}.tif", *(f"a_z{z}.tif" for z in range(1, 12))).groups
    assert group.grid == (("z", tuple(map(str, range(1, 12)))),)
    assert [Path(file).name for file in group.files][8:] == ["a_z9.tif", "a_z10.tif", "a_z11.tif"]


@pytest.mark.parametrize(
    ("pattern", "names", "expected"),
    [
        ("{name}/z{z}.tif", ["a/z1.tif", "a/z2.tif", "day2/a/z1.tif"], ["a", "day2/a"]),
        ("z{z}.tif", ["a/z1.tif", "a/z2.tif", "z1.tif"], ["a", "."]),
        ("{well}_s{field}_w{c}*.tif", ["B02_s1_w1X.TIF", "b03_s2_w1Y.tif"], ["B02-f1", "B03-f2"]),
        ("{plate}/r{row}c{column}f{field}-ch{c}.tiff", ["P/r02c03f1-ch1.tiff"], ["P-B03-f1"]),
        ("{name}/{name}_z{z}", ["a/a_z1.png", "a/b_z1.png"], ["a"]),
    ],
)
def test_what_stacks_of_a_pattern_are_called(pattern, names, expected):
    assert keys(grouped(pattern, *names)) == expected


def test_wells_are_told_from_names(tmp_path):
    (stack,) = find(
        tmp_path, "raw/P_B02_f3_c1.tif", "raw/P_B02_f3_c2.tif", pattern="{name}_{well}_f{field}_c{c}"
    ).stacks
    assert (stack.name, stack.well) == ("P-B02-f3", Well("P", "B", "02", 3))


def test_files_that_do_not_fit_are_told(tmp_path):
    found = find(tmp_path, "raw/a_z1.tif", "raw/a_z2.tif", "raw/overview.tif", pattern="{name}_z{z}.tif")
    assert [stack.name for stack in found.stacks] == ["a"]
    assert "pattern {name}_z{z}.tif fits all images but 1, which are left out: overview.tif" in found.notes
    with pytest.raises(LookupError, match=r"pattern must fit names of images, got '{name}-{z}', which fits none of 3"):
        find(tmp_path, pattern="{name}-{z}")


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("{name}_{depth}.tif", "got {depth}; known are plate, name"),
        ("{name}_z{}.tif", "known fields, got {}"),
        ("{name_z{z}.tif", "known fields, got {"),
        ("a.tif", r"must hold a field such as"),
        ("*_*_*_*_*_{z}.tif", "at most 4 of *, got 5"),
        ("/raw/{name}_z{z}.tif", "counted from the file upward"),
        ("../{name}_z{z}.tif", "counted from the file upward"),
    ],
)
def test_patterns_that_read_no_names_are_refused(pattern, why):
    with pytest.raises(ValueError, match="pattern must") as told:
        Source("raw", pattern=pattern)
    assert why in str(told.value)


def test_pixels_lie_where_names_say(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "truth").mkdir()
    for z, c in product((1, 2, 10), ("DAPI", "GFP")):
        tifffile.imwrite(tmp_path / f"raw/a_z{z}_c{c}.tif", np.full((4, 5), z * 2 + (c == "GFP"), np.uint16))
        tifffile.imwrite(tmp_path / f"truth/a_z{z}.png.tif", np.full((4, 5), z, np.uint8))
    (stack,) = find(tmp_path, pattern="{name}_z{z}_c{c}.tif").stacks
    with open_found(stack) as opened:
        assert (opened.axes, opened.shape, opened.channels) == ("czyx", (2, 3, 4, 5), ("DAPI", "GFP"))
        assert [opened.plane((c, z))[0, 0] for c in (0, 1) for z in (0, 1, 2)] == [2, 4, 20, 3, 5, 21]


@pytest.mark.parametrize("names", [["a_z1.png", "a_z2.png"], ["a.tif"]])
def test_truth_of_a_pattern_is_named_as_its_planes_or_as_its_stack(tmp_path, names):
    for folder in ("raw", "truth"):
        (tmp_path / folder).mkdir()
    for name in names:
        array = np.zeros((4, 5) if len(names) > 1 else (2, 4, 5), np.uint8)
        if name.endswith(".tif"):
            tifffile.imwrite(tmp_path / "truth" / name, array, metadata={"axes": "ZYX"})
        else:
            PIL.Image.fromarray(array).save(tmp_path / "truth" / name)
    files = [f"raw/a_z{z}_c{c}.tif" for z in (1, 2) for c in (1, 2)]
    (stack,) = find(tmp_path, *files, pattern="{name}_z{z}_c{c}.tif", truth="truth").stacks
    assert len(stack.truth) == len(names)
    assert stack.refused == ""
    with open_truth(stack, {"z": 2, "y": 4, "x": 5}) as opened:
        assert (opened.axes, opened.shape) == ("zyx", (2, 4, 5))


def test_truth_that_lacks_a_plane_is_told(tmp_path):
    files = [f"raw/a_z{z}.tif" for z in (1, 2, 3)] + [f"truth/a_z{z}.tif" for z in (1, 2)]
    (stack,) = find(tmp_path, *files, pattern="{name}_z{z}.tif", truth="truth").stacks
    assert "each slice must have its truth, got 3 files" in stack.refused
    assert "truth, none of a_z3.tif; add" in stack.refused


def test_truth_of_a_grid_that_lacks_a_plane_is_told_whatever_the_channels(tmp_path):
    files = [f"raw/a_t{t}_z{z:02}_c{c}.tif" for t in (1, 2) for z in (1, 2) for c in (1, 2)]
    files += [f"truth/a_t{t}_z{z}_mask.png" for t, z in [(1, 1), (1, 2)]]
    settings = {"pattern": "{name}_t{t}_z{z}_c{c}.tif", "truth": "truth", "suffix": "_mask"}
    (stack,) = find(tmp_path, *files, **settings).stacks
    assert "got 4 files" in stack.refused
    assert "truth, none of a_t2_z01_c2.tif; add" in stack.refused


def test_without_a_pattern_each_file_stays_a_stack(tmp_path):
    found = find(tmp_path, "raw/a_z1.tif", "raw/a_z2.tif", pattern=None)
    assert [stack.name for stack in found.stacks] == ["a_z1", "a_z2"]
    assert (
        guess_pattern(tmp_path / "raw", [Path(stack.files[0]) for stack in found.stacks]).pattern == "{name}_z{z}.tif"
    )
