"""Models trained for real, side by side: by another seed they are no different, after a tenth of the steps worse."""

import pytest

from tests.conftest import QUICK
from unet.dataset.record_file import set_values
from unet.images.synthetic import draw_stack
from unet.reports.history import history

LONGER = {
    "train.steps": 300,
    "train.architecture": {"base": 8, "depth": 2},
    "train.tile_size": 64,
    "train.learning_rate": 0.005,
    "train.validation": {"last": 0.5},
}


@pytest.mark.slow
def test_another_seed_is_no_difference_and_a_tenth_of_the_steps_is_worse(make, stage):
    from tasks.tools.compare import compare_models

    stacks = {f"s{number:02}": draw_stack(planes=2, side=128, seed=number) for number in range(12)}
    dataset = make(stacks, **{key.replace(".", "__"): value for key, value in (QUICK | LONGER).items()})
    for name, changed in (("unet", {}), ("seed", {"train.seed": 1}), ("short", {"train.seed": 0, "train.steps": 30})):
        set_values(dataset, {"train.name": name, **changed})
        stage.all(dataset)
    assert compare_models(dataset, "unet", "seed").verdict == "no difference"
    found = compare_models(dataset, "unet", "short")
    assert found.verdict == "worse"
    assert "train.steps 300 → 30" in found.changes
    assert found.parts.keys() == {"validation"}
    assert found.stacks == 6
    assert [(event.entry.kind, event.entry.model) for event in history(dataset)] == [
        (kind, model) for model in ("unet", "seed", "short") for kind in ("training", "report")
    ]
