"""Laws of emptiness: a square is empty where nothing it depends on reaches the least value, whatever the tiles are."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from unet.images.empty_squares import SQUARE, Emptiness
from unet.images.windows import Window

places = st.tuples(st.integers(0, 1299), st.integers(0, 1299))


@settings(deadline=None, max_examples=30)
@given(places, st.integers(0, 64))
def test_one_bright_pixel_fills_the_squares_whose_context_holds_it(place, context):
    side, (y, x) = 1300, place
    around = Window(-64, -64, side + 128, side + 128)
    pixels = np.zeros((1, 2, around.height, around.width), np.uint16)
    pixels[0, 1, y + 64, x + 64] = 7
    found = Emptiness.of(pixels, around, Window(0, 0, side, side), context, 7)
    for row in range(3):
        for column in range(3):
            lows, highs = (row * SQUARE, column * SQUARE), ((row + 1) * SQUARE, (column + 1) * SQUARE)
            near = all(
                low - context <= p < min(high, side) + context for p, low, high in zip(place, lows, highs, strict=True)
            )
            assert found.squares[0, row, column] == (not near)


def test_a_window_is_empty_where_all_squares_it_meets_are_in_all_planes():
    squares = np.array([[[True, False]], [[True, True]]])
    found = Emptiness(Window(512, 0, 512, 1024), squares)
    assert found.holds(Window(600, 0, 100, 512))
    assert not found.holds(Window(600, 0, 100, 513))
    assert not Emptiness(found.region, ~squares).holds(Window(600, 0, 8, 8))


def test_scores_of_empty_squares_are_cleared_plane_by_plane():
    found = Emptiness(Window(0, 512, 8, 600), np.array([[[True, False]], [[False, True]]]))
    scores = np.ones((2, 3, 8, 600))
    found.clear(scores)
    assert scores[0, :, :, :512].max() == 0 == scores[1, :, :, 512:].max()
    assert scores[0, :, :, 512:].min() == 1 == scores[1, :, :, :512].min()
