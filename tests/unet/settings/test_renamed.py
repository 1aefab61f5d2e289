"""Laws of renamed settings: the old name is refused with the new one, and every new name is a setting."""

import pytest

from unet.settings.record import Record, plain
from unet.settings.renamed import RENAMED, new_name
from unet.settings.train import Train


@pytest.mark.parametrize(("section", "old"), [(section, old) for section in RENAMED for old in RENAMED[section]])
def test_a_setting_that_was_renamed_is_refused_with_its_new_name(section, old):
    *above, last = [*section.split("."), old]
    values = {last: 1}
    for step in reversed(above):
        values = {step: values}
    with pytest.raises(
        ValueError, match=rf"^dataset.yaml: {section}.{old} is called {new_name(f'{section}.{old}')} now$"
    ):
        Record.read(values)


def test_all_settings_that_were_renamed_are_told_at_once():
    with pytest.raises(ValueError, match=r"train\.rate is called .*; predict\.tile is called predict\.max_tile now"):
        Record.read({"train": {"rate": 1}, "predict": {"tile": 1}})


def test_every_new_name_is_a_setting():
    for section, names in RENAMED.items():
        known = plain(Train().augmentation if "." in section else getattr(Record(), section))
        assert set(names.values()) <= set(known)
        assert not set(names) & set(known)
