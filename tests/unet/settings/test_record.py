"""The run record: what is refused, how it is said, and which defaults stay."""

import dataclasses
import re
from typing import get_args, get_type_hints

import pytest

from unet.dataset.record_file import field_docs
from unet.settings.architecture import Architecture
from unet.settings.augmentation import Augmentation
from unet.settings.cluster import Cluster
from unet.settings.evaluate import Evaluate
from unet.settings.ingest import Ingest, Source
from unet.settings.predict import Predict
from unet.settings.record import Record, plain, presets
from unet.settings.segment import Segment
from unet.settings.train import Train, Training
from unet.settings.weigh import BorderWeights, Weigh

MODEL = "must be letters, digits, - and _ and not 'truth', got"
VALIDATION = "train.validation: must be {every: N}, {last: FRACTION} or a list of names, got"
CLUSTER = "cluster: must be a scheduler's address, a name in clusters.yaml or {cls: CLASS, options: {…}}, got"


def train(**settings):
    return {"train": settings}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"sources": [{"images": ""}]}, "sources.0: images must name a folder or file"),
        ({"sources": [{"images": "a", "truth": ""}]}, "sources.0: truth must name a folder or file"),
        ({"sources": [{"images": "a", "suffix": ""}]}, "sources.0: suffix must be what names of truth have more"),
        ({"sources": [{"images": "a", "pixel_size": {"c": 1}}]}, "sources.0: pixel_size must be by axis t, z, y or x"),
        ({"sources": [{"images": "a", "axes": "zz"}]}, "sources.0: axes must be some of t c z y x, each once"),
        ({"sources": [{"images": "a", "slices": "x"}]}, "sources.0.slices: must be 'z' or 't', got 'x'"),
        (
            {"sources": [{"images": "a", "foreground": 1}]},
            "sources.0.foreground: must be 'ids', 'classes', 0 or 255, got 1",
        ),
        (
            {"ingest": {"percentile_low": 50, "percentile_high": 50}},
            "ingest: percentiles must be 0 ≤ percentile_low < percentile_high ≤ 100, got 50.0, 50.0",
        ),
        ({"ingest": {"percentile_low": -1}}, "ingest: percentiles must be"),
        ({"ingest": {"percentile_high": 101}}, "ingest: percentiles must be"),
        ({"weigh": {"w0": -1}}, "weigh: w0 must be ≥ 0, got -1.0"),
        ({"weigh": {"sigma": 0}}, "weigh: sigma must be > 0 pixels, got 0.0"),
        ({"weigh": {"tolerance": 0}}, "weigh: tolerance must be > 0, got 0.0"),
        ({"weigh": {"sigma": 1e8}}, "weigh: sigma must be 10,000 pixels at most, got 100000000.0"),
        ({"weigh": {"gap_width": 10**9}}, "weigh: gap_width must be 10,000 pixels at most, got 1000000000"),
        ({"weigh": {"gap_width": 3}}, "weigh: gap_width must be 1 or an even number ≥ 0, got 3"),
        ({"weigh": {"edge_weight": -1}}, "weigh: edge_weight must be ≥ 0, got -1.0"),
        (
            {"weigh": {"class_weights": [1]}},
            "weigh: class_weights must be numbers ≥ 0, of background and of each class",
        ),
        ({"weigh": {"preset": "falk"}}, "weigh.preset: must be 'paper2015' or 'falk2019', got 'falk'"),
        ({"weigh": {"gap_width": -2}}, "weigh: gap_width must be 1 or an even number ≥ 0, got -2"),
        ({"weigh": {"dimensions": 4}}, "weigh.dimensions: must be 2 or 3, got 4"),
        (train(architecture={"depth": 0}), "train.architecture: depth must be ≥ 1, got 0"),
        (train(architecture={"padding": "none"}), "train.architecture.padding: must be 'valid' or 'same', got 'none'"),
        (
            train(architecture={"up": "cubic"}),
            "train.architecture.up: must be 'transposed', 'bilinear' or 'bilinear-alig",
        ),
        *(
            (train(**{name: 0}), f"train: {name} must be > 0")
            for name in ("tile_size", "batch_size", "steps", "learning_rate")
        ),
        *((train(**{name: 0}), f"train: {name} must be > 0") for name in ("validate_every", "memory_gb")),
        (train(optimiser="rmsprop"), "train.optimiser: must be 'adamw' or 'sgd', got 'rmsprop'"),
        *((train(**{name: 0}), f"train: {name} must be > 0") for name in ("checkpoint_every", "devices")),
        *(
            (train(**{name: -1}), f"train: {name} must be ≥ 0, got -1")
            for name in ("gradient_clip", "dice_weight", "patience", "minutes", "weight_decay", "seed")
        ),
        (train(devices=3), "train: batch_size must be a multiple of devices, got 8 samples for 3"),
        (train(precision="fp16"), "train.precision: must be 'auto', 'float32' or 'bf16', got 'fp16'"),
        (train(init_from="a/b"), "train: init_from must be letters, digits, - and _ and not 'truth', got 'a/b'"),
        (train(init_from="unet"), "train: init_from must be another model than name, got 'unet' for both"),
        (train(preset="fast"), "train.preset: must be 'default', 'quick' or 'paper2015', got 'fast'"),
        *((train(**{n: 1}), f"train: {n} must be 0 ≤ {n} < 1, got 1.0") for n in ("momentum", "averaging")),
        *((train(**{n: 2}), f"train: {n} must be 0 ≤ {n} ≤ 1, got 2.0") for n in ("object_share", "class_balance")),
        (train(augmentation={"elastic": -1}), "train.augmentation: elastic must be 0 to 1000, got -1.0"),
        (train(use_border_weights="perhaps"), "train.use_border_weights: must be a valid boolean, got 'perhaps'"),
        (train(seed=0.5), "train.seed: must be a valid integer, got 0.5"),
        (train(device="tpu"), "train.device: must be 'auto', 'cpu' or 'cuda', got 'tpu'"),
        (train(learning_rate=float("nan")), "train.learning_rate: must be a finite number, got nan"),
        (train(test={"every": 1}), "train.test: every must be ≥ 2, got 1"),
        (train(test="a"), VALIDATION.replace("validation", "test")),
        (train(test=["a", "b"], validation=["b"]), "train: test and validation must name different stacks, got b in"),
        (train(gap=-1), "train: gap must be auto or ≥ 0 planes, got -1"),
        (train(gap="wide"), "train.gap: must be auto or a number of planes, got 'wide'"),
        (train(channels=[]), "train: channels must name at least one channel, got none"),
        (train(channels="DAPI"), "train.channels: must be a list, got 'DAPI'"),
        (train(channels=[488]), "train.channels.0: must be a valid string, got 488"),
        *((train(name=name), f"train: name {MODEL} {name!r}") for name in ("", "../x", "a/b", "a.b", "Truth", "~")),
        *(({"predict": {"model": name}}, f"predict: model {MODEL} {name!r}") for name in ("..", "truth", "x/y", "")),
        ({"predict": {"max_tile": 0}}, "predict: max_tile must be > 0 pixels, got 0"),
        ({"predict": {"memory_gb": 0}}, "predict: memory_gb must be > 0 GB, got 0"),
        ({"predict": {"max_pixel_size_ratio": 0.5}}, "predict: max_pixel_size_ratio must be ≥ 1, got 0.5"),
        ({"predict": {"test_time_augmentation": 4}}, "predict.test_time_augmentation: must be 1 or 8, got 4"),
        ({"predict": {"dtype": "int8"}}, "predict.dtype: must be 'uint8', 'float16' or 'float32', got 'int8'"),
        ({"predict": {"keep_scores": 2}}, "predict.keep_scores: must be a valid boolean, got 2"),
        ({"predict": {"device": "gpu"}}, "predict.device: must be 'auto', 'cpu' or 'cuda', got 'gpu'"),
        *(({"segment": {"threshold": t}}, "segment: threshold must be 0 < threshold ≤ 1") for t in (0, 1.01)),
        ({"segment": {"min_size": -1}}, "segment: min_size must be ≥ 0 pixels, got -1"),
        ({"segment": {"max_hole_size": -1}}, "segment: max_hole_size must be ≥ 0 pixels, got -1"),
        ({"segment": {"declump_depth": -1.0}}, "segment: declump_depth must be ≥ 0, got -1"),
        ({"segment": {"max_declump_box": 0}}, "segment: max_declump_box must be > 0 pixels, got 0"),
        *(
            ({"segment": {"high_threshold": s}}, "segment: high_threshold must be threshold < high_threshold ≤ 1, got")
            for s in (0, 1.1)
        ),
        ({"segment": {"classes": [0]}}, "segment: classes must be ≥ 1, 0 being the background"),
        *(({"segment": {"classes": c}}, "segment: classes must be one class or more, each once") for c in ([], [1, 1])),
        ({"segment": {"dimensions": 1}}, "segment.dimensions: must be 2 or 3, got 1"),
        ({"segment": {"connectivity": "edges"}}, "segment.connectivity: must be 'faces' or 'full', got 'edges'"),
        *(({"evaluate": {"confidence": c}}, "evaluate: confidence must lie between 0 and 1") for c in (0, 1)),
        ({"evaluate": {"bootstrap_resamples": 0}}, "evaluate: bootstrap_resamples must be > 0, got 0"),
        (
            {"evaluate": {"metrics": ["v_rnd"]}},
            "evaluate: metrics must be of average_precision, board_pixel_error, det",
        ),
        *(
            ({"evaluate": {"metrics": m}}, "evaluate: metrics must be one or more, each once")
            for m in ([], ["det"] * 2)
        ),
        ({"evaluate": {"metrics": "seg"}}, "evaluate.metrics: must be `auto` or a list of names, got 'seg'"),
    ],
)
def test_every_setting_refuses_nonsense_by_its_name(values, says):
    with pytest.raises(ValueError, match=re.escape(f"dataset.yaml: {says}")):
        Record.read(values)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"wiegh": {}}, "wiegh is no setting; did you mean weigh?"),
        ({"wiegh": None}, "wiegh is no setting; did you mean weigh?"),
        ({"zzz": 1}, "zzz is no setting; known are sources, exclude, ingest,"),
        ({"weigh": {"sigm": 4}}, "weigh.sigm is no setting; did you mean sigma?"),
        (train(valdation={}), "train.valdation is no setting; did you mean validation?"),
        (train(architecture={"dpth": 3}), "train.architecture.dpth is no setting; did you mean depth?"),
        ({"sources": [{"images": "a"}, {"imags": "b"}]}, "sources.1.imags is no setting; did you mean images?"),
        ({"ingest": {"VERSION": 2}}, "ingest.VERSION is no setting; known are percentile_low, percentile_high"),
        ({"sources": [{"truth": "b"}]}, "sources.0.images must be given"),
        ({"sources": {"images": "a"}}, "sources: must be a list, got {'images': 'a'}"),
        ({"sources": ["a"]}, "sources.0: must hold settings by name, got 'a'"),
        ({"train": 5}, "train: must hold settings by name, got 5"),
        (train(architecture=None), "train.architecture: must hold settings by name, got None"),
        (train(validation={"evry": 5}), f"{VALIDATION} {{'evry': 5}}"),
        (train(validation={"every": 5, "last": 0.2}), VALIDATION),
        (train(validation={"every": "x"}), VALIDATION),
        (train(validation="a"), f"{VALIDATION} 'a'"),
        (train(validation=[1]), f"{VALIDATION} [1]"),
        (train(validation=None), VALIDATION),
        (train(validation={"every": 1}), "train.validation: every must be ≥ 2, got 1"),
        (train(validation={"last": 1}), "train.validation: last must lie between 0 and 1, got 1.0"),
        ({"cluster": {"cls": "a.B", "optons": {}}}, f"{CLUSTER} {{'cls': 'a.B', 'optons': {{}}}}"),
        ({"cluster": 8786}, f"{CLUSTER} 8786"),
    ],
)
def test_what_is_wrong_is_named_as_the_person_wrote_it(values, says):
    with pytest.raises(ValueError, match=f"^{re.escape(f'dataset.yaml: {says}')}"):
        Record.read(values)


def test_a_section_with_nothing_below_it_has_its_defaults():
    assert Record.read(dict.fromkeys(Record.model_fields)) == Record()


def test_the_model_that_predicts():
    assert Record().model == "unet"
    assert Record.read(train(name="cells")).model == "cells"
    assert Record.read({"train": {"name": "cells"}, "predict": {"model": "old-1"}}).model == "old-1"


@pytest.mark.parametrize(
    "cluster", ["tcp://host:8786", {"cls": "distributed.LocalCluster", "options": {"n_workers": 1}}, None]
)
def test_clusters(cluster):
    record = Record.read({"cluster": cluster})
    assert record.cluster == (Cluster(**cluster) if isinstance(cluster, dict) else cluster)


@pytest.mark.parametrize(
    "record",
    [Source, Ingest, BorderWeights, Weigh, Architecture, Augmentation, Training, Train, Predict, Segment, Evaluate],
)
def test_every_setting_says_what_it_is(record):
    docs = field_docs(record)
    assert [field.name for field in dataclasses.fields(record) if not docs.get(field.name, "").endswith(".")] == []


@pytest.mark.parametrize("settings", [Ingest(), Weigh(), Train(), Train(validation=("a",)), Predict(), Segment()])
def test_plain_values_make_the_same_record_again(settings):
    section = type(settings).__name__.lower()
    assert getattr(Record.read({section: plain(settings)}), section) == settings


def test_every_preset_can_be_asked_for_and_is_legal():
    for section, named in presets().items():
        kind = type(getattr(Record(), section))
        assert set(named) == set(get_args(get_type_hints(kind)["preset"]))
        for name in named:
            assert getattr(Record.read({section: {"preset": name}}), section).preset == name
