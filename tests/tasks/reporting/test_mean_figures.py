"""Laws of mean figures: planes where a metric is undefined count for nothing, and are counted out of n."""

import math

from tasks.reporting.comparison import Scored
from tasks.reporting.mean_figures import mean_figures, stack_means
from unet.evaluation.metrics import METRICS
from unet.settings.evaluate import Evaluate
from unet.training.split import PlaneRange


def test_a_plane_on_which_a_metric_is_undefined_is_left_out():
    def scored(value, objects):
        return Scored(PlaneRange("a", 0, 3, "validation"), 0, dict.fromkeys(METRICS, value), objects)

    summary = mean_figures([scored(0.5, 1), scored(math.nan, 5), scored(1.0, 3)], Evaluate(bootstrap_resamples=50))
    assert summary["iou"]["value"] == 0.75
    assert summary["seg"]["value"] == (0.5 * 1 + 1.0 * 3) / 4  # over objects
    assert all(figure["n"] == 2 for figure in summary.values())
    nothing = mean_figures([scored(math.nan, 0)], Evaluate(bootstrap_resamples=50))
    assert nothing["iou"] == {"value": None, "low": None, "high": None, "n": 0, "stacks": 0}


def test_the_figures_of_a_part_that_is_one_stack_are_those_of_the_stack():
    planes = [
        Scored(PlaneRange("a", 0, 3, "validation"), at, dict.fromkeys(METRICS, value), objects)
        for at, (value, objects) in enumerate([(0.5, 1), (1.0, 3), (math.nan, 0)])
    ]
    whole = mean_figures(planes, Evaluate(bootstrap_resamples=50))
    stack = stack_means(planes)["a"]
    assert stack["seg"] == 0.875
    assert all(stack[name] == figure["value"] for name, figure in whole.items())
