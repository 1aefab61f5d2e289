from itertools import product
from pathlib import Path

import pytest

from unet.settings.ingest import Source
from unet.sources.pattern_guess import guess_of_source, guess_pattern
from unet.sources.search import find_stacks
from unet.sources.stacks import Scenes

TOP = Path("/raw")
ID = "4BFD4018-E675-475E-B5AB-2E959E6B6DA{}"


def guessed(names):
    return guess_pattern(TOP, [TOP / name for name in names])


def written(name, **words):
    """Names of all places."""
    return [name.format(**dict(zip(words, at, strict=True))) for at in product(*words.values())]


LAYOUTS = {
    "Micro-Manager 2": (
        written("img_channel{c:03}_position000_time000000000_z{z:03}.tif", c=(0, 1), z=(0, 1, 2)),
        "{name}_channel{c}_position{field}_time{t}_z{z}.tif",
        1,
    ),
    "Micro-Manager 1": (
        written("img_{t:09}_{c}_{z:03}.tif", t=(0, 1), c=("DAPI", "Cy 5"), z=(0, 1)),
        "img_{t}_{c}_{z}.tif",
        1,
    ),
    "ImageJ": (
        written("{n}_t{t:03}_z{z:03}_c{c:03}.tif", n=("a", "b_x"), t=(1, 2), z=(1, 2, 3), c=(1, 2)),
        "{name}_t{t}_z{z}_c{c}.tif",
        2,
    ),
    "ImageJ, channels apart": (written("C{c}-cell {n}.tif", c=(1, 2), n=(1, 2)), "C{c}-{name}.tif", 2),
    "MetaMorph": (
        written("exp_w{w}_s{s}_t{t}.TIF", w=("1DAPI", "2FITC"), s=(1, 2), t=(1, 2)),
        "{name}_w{c}_s{field}_t{t}.tif",
        2,
    ),
    "Leica": (written("pos{p}_RAW_ch{c:02}.tif", p=(1, 2), c=(0, 1)), "pos{field}_RAW_ch{c}.tif", 2),
    "CellVoyager": (
        written("p_A01_T0001F00{f}L01A01Z0{z}C0{c}.tif", f=(1, 2), z=(1, 2), c=(1, 2)),
        "{name}_{well}_T{t}F{field}L*A*Z{z}C{c}.tif",
        2,
    ),
    "Operetta": (
        written("r01c0{col}f01p{z:02}-ch{k}sk1fk1fl1.tiff", col=(1, 2), z=(1, 2), k=(1, 2)),
        "r{row}c{column}f{field}p{z}-ch{c}sk{t}fk1fl1.tiff",
        2,
    ),
    "ImageXpress": (
        written("P_E0{e}_s{s}_w{w}" + ID.format(1) + ".TIF", e=(7, 8), s=(1, 2), w=(1, 2)),
        "{name}_{well}_s{field}_w{c}*.tif",
        4,
    ),
    "folders": (written("{n}/z{z}.tif", n="ab", z=range(3)), "z{z}.tif", 2),
    "a name amid places": (
        written("t{t}_{n}_z{z}.tif", t=(1, 2), n=("ab", "cd_e"), z=(1, 2)),
        "t{t}_{name}_z{z}.tif",
        2,
    ),
}


@pytest.mark.parametrize(("names", "pattern", "stacks"), LAYOUTS.values(), ids=LAYOUTS)
def test_patterns_of_common_programs_are_found(names, pattern, stacks):
    guess = guessed(names)
    assert guess.pattern == pattern
    assert len(guess.groups) == stacks
    assert sorted(file for group in guess.groups for file in group.files) == sorted(f"/raw/{name}" for name in names)


@pytest.mark.parametrize("lost", range(12))
def test_a_pattern_is_offered_though_a_plane_is_missing_which_is_named(lost):
    names = written("a_z{z}_c{c}.tif", z=range(1, 7), c=(1, 2))
    missing = guessed(names[:lost] + names[lost + 1 :])
    assert missing.pattern == guessed(names).pattern
    assert (
        f"11 files → 1 stack; say --pattern '{missing.pattern}' to take them as such; a must have" in missing.sentence
    )
    assert f"({names[lost]} would be it)" in missing.sentence


def test_the_offer_says_how_many_stacks_lack_planes():
    names = written("{n}_z{z}_c{c}.tif", n="abc", z=range(1, 7), c=(1, 2))
    lost = {"a_z2_c1.tif", "c_z3_c2.tif"}
    sentence = guessed([name for name in names if name not in lost]).sentence
    assert "34 files → 3 stacks of 2 channels × 6 z each" in sentence
    assert "; 2 stacks lack planes, a must have all planes, got none for c 1, z 2 (a_z2_c1.tif would be it)" in sentence


def test_no_pattern_is_offered_where_more_than_a_few_planes_are_missing():
    names = written("a_z{z}_c{c}.tif", z=range(1, 7), c=(1, 2))
    assert guessed(names[:3] + names[5:]) is None


@pytest.mark.parametrize(
    "names",
    [
        ["a1.tif", "a2.tif"],
        ["a_z1.tif", "a_z2.tif", "b.tif"],
        ["a_z1.tif", "a_z2.png"],
        ["a_z1.tif", "b_z1.tif"],
        ["a_z1.tif"],
        ["a_z1_z2.tif", "a_z1_z3.tif"],
        ["a_z1_{.tif", "a_z2_{.tif"],
        ["a_z1_c1.tif", "a_z1_c01.tif", "a_z1_c1.TIF"],
        [],
    ],
)
def test_no_pattern_is_offered_where_none_is_sure(names):
    assert guessed(names) is None


def test_the_offer_says_what_would_become_of_the_files():
    names = written("{n}_z{z}_c{c}.tif", n="ab", z=(1, 2, 3), c=(1, 2))
    assert guessed(names).sentence == (
        "these look like planes: pattern {name}_z{z}_c{c}.tif, 12 files → 2 stacks of 2 channels × 3 z each; "
        "say --pattern '{name}_z{z}_c{c}.tif' to take them as such"
    )


def test_files_that_are_sets_or_have_a_setting_already_are_left_as_they_are(tmp_path):
    for z in (1, 2):
        (tmp_path / f"a_z{z}.tif").touch()
    source = Source(str(tmp_path))

    def stacks(scenes):
        return find_stacks([source], tmp_path, lambda file: scenes).stacks

    assert guess_of_source(source, stacks(Scenes(1))) is not None
    assert guess_of_source(source, stacks(Scenes(2))) is None
    assert guess_of_source(Source(str(tmp_path), slices="z"), stacks(Scenes(1))) is None


def test_truth_of_stacks_that_fits_no_plane_is_refused_with_the_pattern_that_planes_follow(tmp_path):
    planes = written("raw/pos{n}_z{z}_c{c}.tif", n=(0, 1), z=(0, 1), c=(0, 1))
    for name in [*planes, "truth/pos0.tif", "truth/pos1.tif"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"say --pattern 'pos\{field\}_z\{z\}_c\{c\}.tif' to take them as such"):
        find_stacks([Source("raw", "truth")], tmp_path, lambda _: Scenes(1))
