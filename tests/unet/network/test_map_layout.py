"""The law of the layout: maps that are needed at one time share no value, and all lie in no more than was planned."""

from itertools import combinations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unet.network.map_layout import ALIGNED, map_places, values_of
from unet.network.unet import UNet
from unet.settings.architecture import Architecture

few = settings(deadline=None, max_examples=60)
FORMS = [
    {"padding": "valid"},
    {"padding": "same"},
    {"padding": "same", "narrow": True},
    {"padding": "same", "up": "bilinear"},
    {"padding": "same", "up": "bilinear", "narrow": True},
]


@st.composite
def architectures(draw):
    form = draw(st.sampled_from(FORMS))
    numbers = (st.integers(1, 3), st.integers(2, 4), st.sampled_from([2, 4, 8, 12]), st.integers(1, 4))
    return Architecture(*map(draw, numbers), **form)


@few
@given(architectures(), st.tuples(*[st.integers(1, 300)] * 2))
def test_maps_that_are_kept_at_one_time_lie_beside_each_other(architecture, sides):
    places = map_places(architecture, *(architecture.input_size(side) for side in sides))
    assert len(places) == 3 * architecture.depth
    for one, other in combinations(places.values(), 2):
        if one.is_beside(other):
            assert one.end <= other.offset or other.end <= one.offset
    assert all(place.offset % ALIGNED == 0 for place in places.values())


@few
@given(architectures(), st.integers(100, 300))
def test_little_more_is_taken_than_what_is_needed_at_one_time(architecture, side):
    places = map_places(architecture, *[architecture.input_size(side)] * 2)
    times = range(2 * architecture.depth + 1)
    needed = max(sum(p.end - p.offset for p in places.values() if p.made <= now <= p.read) for now in times)
    assert needed <= values_of(places) <= 1.15 * needed


@few
@given(architectures(), st.tuples(*[st.integers(1, 30)] * 2))
def test_shapes_are_those_of_the_networks_maps(architecture, sides):
    network, seen = UNet(architecture).eval(), {}
    for level, down in enumerate(network.down):
        name = f"skip {level}" if level < architecture.depth else f"up {level}"
        down.register_forward_hook(lambda *given, name=name: seen.update({name: given[-1].shape[1:]}))
    for level, merge in zip(reversed(range(architecture.depth)), network.merge, strict=True):
        merge.register_forward_hook(lambda *given, level=level: seen.update({f"up {level}": given[-1].shape[1:]}))
    height, width = (architecture.input_size(side) for side in sides)
    with torch.no_grad():
        network(torch.zeros(1, architecture.in_channels, height, width))
    places = map_places(architecture, height, width)
    told = {name: (place.channels, place.height, place.width) for name, place in places.items()}
    del seen["up 0"]  # the scores, which have no place
    assert {name: tuple(shape) for name, shape in seen.items()} == {k: v for k, v in told.items() if k in seen}
    for level in range(architecture.depth):
        channels, *sides = told[f"skip {level}"]
        assert told[f"pooled {level}"] == (channels, *(side // 2 for side in sides))
