"""Law of the places of a class: drawn from them again and again, windows are drawn as from everywhere."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unet.training.test_samples import CPU, SMALL, plane
from unet.images.planes import mirrored
from unet.settings.architecture import Architecture
from unet.training import class_places
from unet.training.class_places import places_of_classes
from unet.training.samples import batches, draw_sample, draw_step, places_to_show, tile_origin

THREE = replace(SMALL, architecture=Architecture(base=4, depth=1, padding="same", classes=4), object_share=1.0)


def of(classes):
    return plane(np.zeros(classes.shape, np.float32), classes)


def origin_chances(size, side):
    """Chance of each place where a tile may begin along an axis, when its centre lies anywhere."""
    chances = (np.arange(40_000) + 0.5) / 40_000
    origins = np.array([tile_origin(size, side, chance) for chance in chances])
    return {int(origin): float(np.mean(origins == origin)) for origin in np.unique(origins)}


def slow_law(planes, side, of_class):
    """Chance of each window, (plane, y, x), that shows a class: as it is drawn from everywhere, over that of all."""
    pixels = sum(one.classes.array.size for one in planes)
    law = {}
    for number, one in enumerate(planes):
        classes = one.classes.array
        height, width = classes.shape
        for y, of_y in origin_chances(height, side).items():
            rows = classes[mirrored(y, y + side, height)]
            for x, of_x in origin_chances(width, side).items():
                if (rows[:, mirrored(x, x + side, width)] == of_class).any():
                    law[number, y, x] = of_y * of_x * classes.size / pixels
    return {place: chance / sum(law.values()) for place, chance in law.items()}


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=2),
    st.integers(1, 24),
    st.integers(0, 99),
)
def test_no_window_that_shows_a_class_lies_elsewhere(shapes, side, seed):
    """Of a fine grid of centres, those from which a class is seen are all in its squares; each class that is there."""
    random = np.random.default_rng(seed)
    planes = [of(np.where(random.random(shape) < 0.003, random.choice([1, 2, 255], shape), 0)) for shape in shapes]
    found = {places.of_class: places for places in places_of_classes(planes, side)}
    assert set(found) == {1, 2} & set(np.concatenate([one.classes.array.ravel() for one in planes]).tolist())
    for of_class, places in found.items():
        squares = set(zip(places.plane.tolist(), places.row.tolist(), places.column.tolist(), strict=True))
        for number, one in enumerate(planes):
            height, width = one.classes.array.shape
            for y, x in random.random((300, 2)):
                top, left = tile_origin(height, side, y), tile_origin(width, side, x)
                seen = one.classes.array[mirrored(top, top + side, height)][:, mirrored(left, left + side, width)]
                square = (int(y * (height - 1)) // places.square, int(x * (width - 1)) // places.square)
                assert (number, *square) in squares or not (seen == of_class).any()


def test_windows_that_show_a_rare_class_are_drawn_alike():
    """Two planes, a few pixels of class 3 at an edge, in a corner and inside: 4,000 draws are as the law has them."""
    first, second = np.ones((40, 30), np.uint8), np.zeros((24, 60), np.uint8)
    first[0, 3] = first[20, 29] = second[12, 30] = second[23, 59] = 3
    planes, draws = [of(first), of(second)], 4000
    side, (places,) = 8, [each for each in places_of_classes(planes, 8) if each.of_class == 3]
    law, chances = slow_law(planes, side, 3), np.array([first.size, second.size]) / (first.size + second.size)
    drawn = dict.fromkeys(law, 0)
    training = replace(THREE, tile_size=side)
    for number in range(draws):
        sample = draw_sample(planes, chances, training, np.random.default_rng(number), [places])
        window = sample.target
        drawn[next(n for n, one in enumerate(planes) if one is sample.plane), window.y, window.x] += 1
    expected = draws * np.array(list(law.values()))
    surprise = np.sum((np.array(list(drawn.values())) - expected) ** 2 / expected)
    assert abs(surprise - len(law)) < 5 * np.sqrt(2 * len(law))


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_classes_are_shown_alike_however_rare_they_are(share):
    """Class 3 has 4 pixels of 10⁶: by chance one window in 2,500 would show it."""
    classes = np.zeros((1000, 1000), np.uint8)
    classes[::4], classes[100:140, 200:240], classes[500:502, 700:702] = 1, 2, 3
    training, one = replace(THREE, object_share=share, batch_size=8, steps=50), of(classes)
    shown = [seen for batch in batches([one], training, CPU) for seen in batch.classes.flatten(1)]
    for of_class, likely in ((2, share / 3), (3, share / 3)):
        assert np.mean([bool((seen == of_class).any()) for seen in shown]) == pytest.approx(likely, abs=0.07)


def test_half_or_more_of_the_windows_that_are_drawn_show_a_lone_pixel():
    classes = np.zeros((400, 400), np.uint8)
    classes[200, 200] = 2
    one, side = of(classes), 64
    (places,) = places_of_classes([one], side)
    draw, seen = np.random.default_rng(0), 0
    for _ in range(500):
        _, *centre = places.draw([one], draw)
        top, left = (tile_origin(400, side, chance) for chance in centre)
        seen += (classes[max(top, 0) : top + side, max(left, 0) : left + side] == 2).any()
    assert seen / 500 > 0.4


def test_a_plane_is_looked_at_piece_by_piece(monkeypatch):
    random = np.random.default_rng(0)
    one = of(np.where(random.random((90, 70)) < 0.002, random.choice([1, 2], (90, 70)), 0))
    whole = places_of_classes([one], 24)
    monkeypatch.setattr(class_places, "ROWS", 7)
    for before, after in zip(whole, places_of_classes([one], 24), strict=True):
        for name, values in vars(before).items():
            np.testing.assert_array_equal(values, getattr(after, name))


def test_a_class_that_is_nowhere_is_not_asked_for():
    """Of the other ones samples show one."""
    classes = np.zeros((100, 100), np.uint8)
    classes[3, 3] = 2
    assert [places.of_class for places in places_to_show([of(classes)], THREE)] == [2]
    assert all((batch.classes == 2).flatten(1).any(1).all() for batch in batches([of(classes)], THREE, CPU))


def test_places_looked_for_once_or_at_each_step_give_the_same_samples():
    classes = np.zeros((100, 100), np.uint8)
    classes[3, 3], classes[50:60, 20:30] = 2, 1
    planes = [of(classes)]
    places = places_to_show(planes, THREE)
    one, other = (draw_step(planes, THREE, 0, 3, found).samples for found in (places, None))
    assert [sample.target for sample in one] == [sample.target for sample in other]
