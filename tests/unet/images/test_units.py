"""Laws of units: every spelling leads to one unit, and only lengths have metres."""

import pytest

from unet.images.units import UNITS, column_symbol, metres, pixel_size, spacing_in_pixels, symbol, unit_named


@pytest.mark.parametrize("name", UNITS)
def test_every_spelling_leads_to_its_unit_in_capitals_too(name):
    unit = UNITS[name]
    for spelling in (name, unit.symbol, *unit.spellings.split()):
        assert unit_named(spelling) == unit_named(f" {spelling.upper()}") == name
    assert symbol(name) == unit.symbol
    assert column_symbol(name).isascii()


def test_both_letters_that_look_like_micro_are_micro():
    assert unit_named("\u00b5m") == unit_named("\u03bcm") == "micrometer"


@pytest.mark.parametrize("unit", ["second", "parsec", ""])
def test_what_is_no_length_has_no_metres(unit):
    with pytest.raises(LookupError, match=f"a pixel's size must be a length, got the unit {unit!r}"):
        metres(unit)


def test_metres_are_those_of_the_unit():
    assert metres("micrometer") * 1e6 == metres("meter") == pytest.approx(metres("inch") / 0.0254)


@pytest.mark.parametrize(
    ("spacing", "units"),
    [({"y": 1.0}, {"y": "micrometer"}), ({"y": 1.0, "x": 1.0}, {"y": "micrometer", "x": "nanometer"}), ({}, {})],
)
def test_a_pixel_size_that_is_not_known_in_one_unit_is_none(spacing, units):
    assert pixel_size({"spacing": spacing, "units": units}) is None


def test_where_a_size_is_unknown_pixels_are_cubes():
    assert spacing_in_pixels("tczyx", {"y": 0.25, "x": 0.25}) == (1.0, 1.0, 1.0)


def test_sizes_in_several_units_are_brought_to_one():
    units = {"z": "nanometer", "y": "micrometer", "x": "micrometer"}
    assert spacing_in_pixels("zyx", {"z": 500, "y": 0.25, "x": 0.25}, units) == pytest.approx((2, 1, 1))
    assert spacing_in_pixels("zyx", {"z": 1.25, "y": 0.5, "x": 0.5}, dict.fromkeys("zyx", "nanometer")) == (2.5, 1, 1)
