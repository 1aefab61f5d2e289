"""Pictures of a page: exact where they are small, small where they are not."""

import base64
import io

import numpy as np
from PIL import Image

from unet.reports.page_pictures import EXACT, LONGEST, data_url
from unet.reports.pictures import png


def decoded(url):
    kind, content = url.split(";base64,")
    return kind.removeprefix("data:image/"), base64.b64decode(content)


def test_a_small_picture_is_the_same_png():
    drawn = png(np.zeros((40, 60, 3), np.uint8))
    assert decoded(data_url(drawn)) == ("png", drawn)


def test_a_large_one_is_smaller_and_no_larger_than_a_screen():
    noise = np.random.default_rng(0).normal(120, 20, (1700, 2400, 1)).clip(0, 255).astype(np.uint8).repeat(3, axis=2)
    drawn = png(noise)
    assert len(drawn) > EXACT
    kind, content = decoded(data_url(drawn))
    assert kind == "webp"
    assert len(content) < len(drawn)
    with Image.open(io.BytesIO(content)) as image:
        assert max(image.size) == LONGEST
