"""How a stack is predicted: at the model's pixel size where that is asked, within what a device has."""

import pytest

from unet.images.windows import Window
from unet.network.numeric_plan import VRAM_PART
from unet.network.prediction_plan import Machine, asked_precision, plan_limits, plane_windows, scale_of, scores_layout
from unet.settings.architecture import Architecture
from unet.settings.predict import Predict

FACTS = {
    "axes": "zcyx",
    "shape": (3, 2, 5000, 600),
    "spacing": {"y": 0.5, "x": 0.5},
    "units": {"y": "micrometer", "x": "micrometer"},
}
SMALL = Architecture(base=4, depth=2, padding="same")


def test_where_nobody_has_chosen_a_precision_it_is_float32():
    assert asked_precision(Predict()) == "float32"
    assert asked_precision(Predict(precision="bf16")) == "bf16"


def test_windows_are_the_shards_of_one_plane_each_pixel_once():
    windows = plane_windows(scores_layout(FACTS, 2, "uint8"))
    assert windows == [Window(0, 0, 4096, 600), Window(4096, 0, 904, 600)]


@pytest.mark.parametrize(
    ("own", "settings", "expected"),
    [
        (None, Predict(rescale=True), None),
        ({"y": 0.502, "x": 0.5, "unit": "micrometer"}, Predict(rescale=True), None),
        ({"y": 0.25, "x": 0.25, "unit": "micrometer"}, Predict(rescale=True), (2.0, 2.0)),
        ({"y": 800, "x": 800, "unit": "nanometer"}, Predict(), None),
    ],
)
def test_stacks_are_rescaled_where_sizes_differ_and_that_is_asked(own, settings, expected):
    assert scale_of("a", FACTS, "net", own, settings) == expected


def test_sizes_too_far_apart_are_refused_with_both_named():
    own = {"y": 1.5, "x": 1.5, "unit": "micrometer"}
    with pytest.raises(
        ValueError, match=r"a must have pixels within 2 × those .* net .*, 1\.5 × 1\.5 micrometer, got 0"
    ):
        scale_of("a", FACTS, "net", own, Predict())


def test_limits_are_those_of_the_largest_window_at_the_models_pixel_size():
    limits = plan_limits(SMALL, Predict(memory_gb=3), FACTS, None, Machine("cpu"))
    assert (limits.sides, limits.memory, limits.score_bytes) == ((4096, 600), 3e9, 1)
    halved = plan_limits(SMALL, Predict(), FACTS, (0.5, 0.5), Machine("cuda", free=8e9))
    assert halved.memory == 8e9 * VRAM_PART
    assert halved.sides[0] >= 2048
    assert halved.sides[1] >= 300
    assert max(halved.sides) <= 2048 + 4 * SMALL.multiple
