"""The settings of train: validation by its form, architecture and presets key by key."""

import dataclasses

import pytest

from unet.settings.architecture import Architecture
from unet.settings.record import Record, plain
from unet.settings.train import Every, Last, Train


def train(**settings):
    return {"train": settings}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"every": 5}, Every(5)),
        ({}, Every(5)),
        ({"last": 0.2}, Last(0.2)),
        (["b", "a"], ("b", "a")),
        ([], ()),
    ],
)
def test_a_validation_is_read_by_its_form(written, read):
    record = Record.read(train(validation=written))
    assert record.train.validation == read
    assert Record.read(train(**plain(record.train))) == record


def test_an_architecture_given_in_part_keeps_the_defaults_of_training_and_not_the_papers():
    architecture = Record.read(train(architecture={"base": 8})).train.architecture
    assert architecture == dataclasses.replace(Train().architecture, base=8)
    assert architecture.padding == "same" != Architecture().padding


def test_architecture_and_augmentation_of_a_preset_are_changed_key_by_key():
    given = {"preset": "paper2015", "architecture": {"base": 32}, "augmentation": {"elastic": 5}}
    paper = Record.read({"train": given}).train
    assert paper.architecture == Architecture(base=32, dropout=0.5)
    assert (paper.augmentation.elastic, paper.augmentation.scale) == (5, 1)
    assert (paper.optimiser, paper.momentum, paper.batch_size, paper.tile_size) == ("sgd", 0.99, 1, 388)
    assert paper.architecture.input_size(paper.tile_size) == 572
    assert Record.read({"train": plain(paper)}).train == paper
    assert Record.read({"train": {"preset": "default"}}).train == Train()
    assert Record.read({"train": {"preset": "quick"}}).train.architecture == dataclasses.replace(
        Train().architecture, depth=3
    )
