"""The limits of augmentation: nothing is a limit too, nonsense is none."""

import math
from dataclasses import fields

import pytest

from unet.settings.augmentation import Augmentation


def test_none_is_the_least_of_every_limit():
    none = Augmentation.none()
    for field in fields(Augmentation):
        value, least = getattr(none, field.name), 1 if field.name in ("scale", "gamma") else 0
        assert value == least <= getattr(Augmentation(), field.name)


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"elastic": -1.0}, "elastic must be 0 to 1000, got -1.0; 0 turns it off"),
        ({"rotation": 181.0}, "rotation must be 0 to 180"),
        ({"scale": 0.9}, "scale must be 1 to 4, got 0.9; 1 turns it off"),
        ({"shift": math.inf}, "shift must be 0 to 1000, got inf"),
        ({"gain": 1.0}, "gain must be 0 to 0.99"),
        ({"offset": -0.1}, "offset must be 0 to 10"),
        ({"gamma": 0.5}, "gamma must be 1 to 4"),
        ({"noise": math.nan}, "noise must be 0 to 10, got nan"),
        ({"blur": 11.0}, "blur must be 0 to 10"),
    ],
)
def test_what_is_refused(limits, says):
    with pytest.raises(ValueError, match=says):
        Augmentation(**limits)
