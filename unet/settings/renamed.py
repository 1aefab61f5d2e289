"""Settings that had another name before 0.1: a person is told the new one, and what was made before stays fresh."""

from collections.abc import Mapping
from typing import Any

RENAMED = {
    "ingest": {"low": "percentile_low", "high": "percentile_high"},
    "weigh": {"felt": "applies_to", "ridge": "gap_width", "edge": "edge_weight"},
    "train": {
        "rate": "learning_rate",
        "batch": "batch_size",
        "clip": "gradient_clip",
        "dice": "dice_weight",
        "tile": "tile_size",
        "border": "use_border_weights",
        "start": "init_from",
        "memory": "memory_gb",
    },
    "train.augmentation": {"turns": "flips_and_quarter_turns"},
    "predict": {
        "symmetries": "test_time_augmentation",
        "skip_below": "background_below",
        "pixel_factor": "max_pixel_size_ratio",
        "memory": "memory_gb",
        "tile": "max_tile",
    },
    "segment": {
        "strong": "high_threshold",
        "minimum": "min_size",
        "holes": "max_hole_size",
        "split": "declump_depth",
        "max_component": "max_declump_box",
    },
    "evaluate": {"resamples": "bootstrap_resamples"},
    "watch": {"quiet": "quiet_seconds", "patience": "give_up_after_seconds"},
}
"""Of each section, the new name of what was called otherwise."""


def new_name(setting: str) -> str | None:
    """What a setting is called now, by the dotted name that it had; None where it never had another.

    >>> new_name("train.rate"), new_name("train.steps")
    ('train.learning_rate', None)
    """
    section, _, name = setting.rpartition(".")
    now = RENAMED.get(section, {}).get(name)
    return now and f"{section}.{now}"


def with_new_names(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A section's values, each under the name that it has now.

    >>> with_new_names("train", {"steps": 5, "rate": 0.1, "augmentation": {"turns": True}})
    {'steps': 5, 'learning_rate': 0.1, 'augmentation': {'flips_and_quarter_turns': True}}
    """
    names = RENAMED.get(section, {})
    return {
        names.get(key, key): with_new_names(f"{section}.{key}", value) if isinstance(value, Mapping) else value
        for key, value in values.items()
    }
