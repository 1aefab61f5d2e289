"""Laws of channels' colours: what the file says holds, no two are alike, and colour-blind people tell them apart."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import deltaE_ciede2000, rgb2lab

from unet.images.channel_colours import DISTINCT, display_colours

COLOUR = st.integers(1, 0xFFFFFF).map(lambda number: f"{number:06X}")

SIGHTS = {
    "all cones": np.eye(3),
    "no long": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no middle": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no short": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Linear red, green and blue as people see them who lack a cone (Machado et al. 2009, severity 1)."""


def seen(colour, sight):
    """A colour in CIE L*a*b*, as somebody sees it."""
    encoded = np.array([int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)])
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    there = np.clip(np.array(SIGHTS[sight]) @ linear, 0, 1)
    return rgb2lab(np.where(there <= 0.0031308, there * 12.92, 1.055 * there ** (1 / 2.4) - 0.055))


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize(("first", "least"), [(2, 50), (3, 20), (len(DISTINCT), 10)])
def test_everybody_tells_them_apart(sight, first, least):
    for one, other in itertools.combinations(DISTINCT[:first], 2):
        assert deltaE_ciede2000(seen(one, sight), seen(other, sight)) > least


@given(st.integers(2, 60))
def test_untold_ones_all_differ(count):
    channels = [str(number) for number in range(count)]
    colours = display_colours(channels)
    assert len(set(colours)) == count
    assert colours == display_colours(channels, ["FFFFFF"] * count)  # what a microscope writes that knows of none
    assert colours[:2] == list(DISTINCT[:2])


@given(st.lists(st.one_of(st.just(""), st.sampled_from(DISTINCT), COLOUR), min_size=2, max_size=9))
def test_told_ones_hold_and_the_others_differ_from_them(told):
    colours = display_colours([str(number) for number in range(len(told))], told)
    if len(set(told)) > 1:
        assert all(colour == said for colour, said in zip(colours, told, strict=True) if said)
        others = [colour for colour, said in zip(colours, told, strict=True) if not said]
        assert len({*others}) == len(others)
        assert not {*others} & {*told}


def test_one_channel_and_red_green_and_blue():
    assert display_colours(["DAPI"]) == display_colours(["DAPI"], [""]) == ["FFFFFF"]
    assert display_colours(["DAPI"], ["0000FF"]) == ["0000FF"]
    assert display_colours(["red", "green", "blue"], ["FFFFFF"]) == ["FF0000", "00FF00", "0000FF"]
    assert display_colours(["a", "b", "c"], ["00FFFF"])[0] == "00FFFF"  # fewer told than there are
