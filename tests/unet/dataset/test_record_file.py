"""`dataset.yaml` on disk: a template that says all defaults, edits that keep comments, clear words for faults."""

import re
from dataclasses import fields

import pytest
from ruamel.yaml import YAML

from unet.dataset.folder import Dataset
from unet.dataset.record_file import field_docs, parse_change, put_source, read_record, set_values, write_record
from unet.settings.ingest import Source
from unet.settings.record import Record, plain
from unet.settings.train import Every, Last

SOURCE = Source("/data/µ: x", truth="/data/truth", foreground=255)
SECTIONS = ["ingest", "weigh", "train", "predict", "segment", "evaluate", "watch"]


@pytest.fixture
def dataset(tmp_path):
    return Dataset(str(tmp_path))


@pytest.fixture
def written(dataset):
    write_record(dataset, [SOURCE])
    return dataset


def text_of(dataset):
    return dataset.record.read().decode()


def put(dataset, text):
    dataset.record.write(text.encode())
    return dataset


def comments(text):
    """What stands behind the last `#` of every line, but for sections that are commented out."""
    return [line.rpartition("# ")[2] for line in text.splitlines() if "# " in line and not re.match(r"# \w+:$", line)]


def test_a_new_file_holds_its_sources_and_the_defaults(written):
    assert read_record(written) == Record(sources=(SOURCE,))


def test_every_setting_is_there_as_a_comment_with_its_default_and_what_it_is(written):
    text = text_of(written)
    for section in SECTIONS:
        record = getattr(Record(), section)
        below = text.partition(f"\n# {section}:\n")[2].partition("\n\n")[0].splitlines()
        assert len(below) == len(fields(record))
        for line, field in zip(below, fields(record), strict=True):
            value, _, doc = line.removeprefix(f"#   {field.name}: ").partition("  # ")
            assert YAML(typ="safe").load(value) == plain(record)[field.name]
            assert doc == field_docs(type(record))[field.name]
    assert set(SECTIONS) | {"sources", "exclude", "cluster"} == set(Record.model_fields)


def test_uncommenting_everything_gives_the_defaults_exactly(written):
    before = read_record(written)
    text = re.sub(r"(?m)^# (?=(  |    )?\w+:)", "", text_of(written))
    put(written, text)
    assert read_record(written) == before
    assert set(YAML(typ="safe").load(text)) == set(Record.model_fields)
    for section in SECTIONS:
        assert YAML(typ="safe").load(text)[section] == plain(getattr(before, section))


def test_a_change_is_made_where_the_person_reads_of_it(written):
    before = text_of(written)
    changes = {
        "segment.threshold": 0.6,
        "train.architecture.base": 8,
        "train.validation": {"last": 0.2},
        "exclude": ["a"],
    }
    assert set_values(written, changes | {"cluster": "tcp://host:1"}) == [
        "segment.threshold: auto → 0.6",
        "train.architecture.base: 16 → 8",
        "train.validation: {'every': 5} → {'last': 0.2}",
        "exclude: [] → ['a']",
        "cluster: None → tcp://host:1",
    ]
    after = text_of(written)
    assert comments(after) == comments(before)
    assert re.search(r"\n# How scores become instances\.\nsegment:\n  threshold: 0\.6 +# A pixel belongs to", after)
    assert re.search(r"\nexclude: \[a\] +# Names of stacks", after)
    assert len(after.splitlines()) == len(before.splitlines())
    record = read_record(written)
    assert (record.segment.threshold, record.train.architecture.base) == (0.6, 8)
    assert (record.train.validation, record.exclude, record.cluster) == (Last(0.2), ("a",), "tcp://host:1")


def test_changes_one_after_the_other_are_as_if_made_at_once(written):
    changes = {"train.learning_rate": 0.1, "train.steps": 5, "train.channels": ["a"]}
    for key, value in reversed(changes.items()):
        set_values(written, {key: value})
    one_by_one = text_of(written)
    write_record(written, [SOURCE])
    set_values(written, changes)
    assert text_of(written) == one_by_one
    assert set_values(written, {"train.learning_rate": 0.2}) == ["train.learning_rate: 0.1 → 0.2"]


PERSONAL = """\
# our microscope
sources:
  - images: /data/a  # the old one
# train: I tried 500 steps
weigh:
    sigma: 4  # as in the paper
    # w0: 3
# ingest:
#   low: 2  # mine
# the end
"""


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("weigh.sigma", 3.0),
        ("weigh.w0", 5.0),
        ("train.steps", 9),
        ("ingest.percentile_high", 99.0),
        ("segment.min_size", 2),
    ],
)
def test_a_file_of_a_persons_own_keeps_its_comments(key, value, dataset):
    set_values(put(dataset, PERSONAL), {key: value})
    text = text_of(dataset)
    for comment in (
        "# our microscope",
        "# the old one",
        "# train: I tried 500 steps",
        "# as in the paper",
        "# the end",
    ):
        assert comment in text
    section, name = key.split(".")
    assert getattr(getattr(read_record(dataset), section), name) == value
    assert text.index("# as in the paper") < text.index("# the end")


@pytest.mark.parametrize("text", ["", "# only a comment\n", "weigh:\n", "sources:\n# more\n"])
def test_a_file_with_nothing_in_it_is_the_defaults_and_can_be_edited(text, dataset):
    put(dataset, text)
    assert read_record(dataset) == Record()
    set_values(dataset, {"weigh.sigma": 4})
    put_source(dataset, SOURCE)
    assert read_record(dataset).weigh.sigma == 4
    assert read_record(dataset).sources == (SOURCE,)
    assert comments(text_of(dataset)) == comments(text)


def test_one_more_source_keeps_comments_where_they_are(written):
    before = text_of(written)
    put_source(written, Source("/data/new"))
    assert read_record(written).sources == (Source("/data/new"), SOURCE)
    after = text_of(written)
    assert after.partition("# exclude")[2] == before.partition("# exclude")[2]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("weigh.sigma", -1, "weigh: sigma must be > 0 pixels, got -1.0"),
        ("weigh.sigm", 1, "weigh.sigm is no setting; did you mean sigma?"),
        (
            "sources.0.images",
            "x",
            "sources.0.images must be a setting by name, got one in a list; set sources as a whole",
        ),
        ("sources", [{"images": "a", "scene": 1}], "sources.0.scene is no setting"),
        ("train.learning_rate.x", 1, "train.learning_rate: must be a valid number, got {'x': 1}"),
        ("train..rate", 1, "train. is no setting"),
    ],
)
def test_a_wrong_change_leaves_the_file_as_it_was(key, value, says, written):
    before = text_of(written)
    with pytest.raises(ValueError, match=re.escape(says)):
        set_values(written, {"segment.min_size": 3, key: value})
    assert text_of(written) == before


def test_overrides_are_for_one_run(written):
    before = text_of(written)
    record = read_record(written, {"segment.threshold": 0.7, "train.validation.every": 3, "cluster": "tcp://host:1"})
    assert (record.segment.threshold, record.train.validation, record.cluster) == (0.7, Every(3), "tcp://host:1")
    assert text_of(written) == before
    with pytest.raises(ValueError, match=r"segment\.treshold is no setting; did you mean threshold"):
        read_record(written, {"segment.treshold": 0.7})


def test_values_come_out_as_plain_types(dataset):
    text = "train: {learning_rate: 1e-2, steps: 0x10, channels: ['488', x]}\nexclude: [01a]\n"
    record = read_record(put(dataset, text))
    assert (record.train.learning_rate, record.train.steps, record.train.channels, record.exclude) == (
        0.01,
        16,
        ("488", "x"),
        ("01a",),
    )
    assert {type(v) for v in (*record.train.channels, *record.exclude)} == {str}
    assert (type(record.train.learning_rate), type(record.train.steps)) == (float, int)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"- a\n- b\n", "must hold settings by name, got a list"),
        (b"just words\n", "must hold settings by name, got str"),
        (b"5", "must hold settings by name, got int"),
        (b"train: {rate: [\n", "must be YAML, got while parsing"),
        (b"train: {}\ntrain: {}\n", "must be YAML, got while constructing a mapping .* duplicate key"),
        (b'sources: [{images: a, classes: {1: a, "1": b}}]', "must name each key once, got 1 in two ways of writing"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "must be YAML in UTF-8, got"),
        (b"\x00\x00", "must be YAML, got unacceptable character"),
        (b"a: \x07\n", "must be YAML, got unacceptable character"),
    ],
)
def test_a_file_that_is_no_record_is_named(content, says, dataset):
    dataset.record.write(content)
    for act in (read_record, lambda d: set_values(d, {"weigh.sigma": 4}), lambda d: put_source(d, SOURCE)):
        with pytest.raises(ValueError, match=rf"dataset\.yaml {says}"):
            act(dataset)
    assert dataset.record.read() == content


def test_a_folder_that_is_no_dataset(dataset):
    with pytest.raises(
        LookupError, match=r"must be a dataset, got a folder without dataset\.yaml; run `unet-flows init"
    ):
        read_record(dataset)


@pytest.mark.parametrize("section", ["weigh", "cluster", "sources"])
def test_yaml_runs_nothing(section, dataset, tmp_path):
    put(dataset, f"{section}: !!python/object/apply:os.mkdir ['{tmp_path}/ran']\n")
    with pytest.raises(ValueError, match=section):
        read_record(dataset)
    with pytest.raises(ValueError, match="the value of a must be YAML"):
        parse_change(f"a=!!python/object/apply:os.mkdir ['{tmp_path}/ran']")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("segment.threshold=0.6", ("segment.threshold", 0.6)),
        (" predict.model = old=1 ", ("predict.model", "old=1")),
        ("train.channels=[a, '488']", ("train.channels", ["a", "488"])),
        ("predict.model=", ("predict.model", None)),
        ("predict.keep_scores=false", ("predict.keep_scores", False)),
    ],
)
def test_changes_of_the_command_line(text, change):
    assert parse_change(text) == change


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("threshold", "a change must be section.key=value, got 'threshold'"),
        ("=1", "a change must be section.key=value"),
        ("a={b", "the value of a must be YAML, got"),
    ],
)
def test_changes_that_are_none(text, says):
    with pytest.raises(ValueError, match=says):
        parse_change(text)


CHANGES = (
    Source("/a"),
    Source("/a", truth="/t"),
    Source("/a", prefix="x-", suffix="_mask"),
    Source("/a", pixel_size={"y": 0.1, "x": 0.1}),
    Source("/a", channels=("A", "B"), link=True),
)


@pytest.mark.parametrize("after", CHANGES)
@pytest.mark.parametrize("before", CHANGES)
def test_a_source_again_stands_where_it_stood_above_the_comments_that_follow(before, after, dataset):
    write_record(dataset, [before])
    comments_before = comments(text_of(dataset))
    put_source(dataset, after, 0)
    assert read_record(dataset).sources == (after,)
    assert comments(text_of(dataset)) == comments_before
    _, _, behind = text_of(dataset).partition("besides:\n")
    assert all(line.startswith("#") for line in behind.splitlines() if line)


def test_a_source_again_keeps_comments_on_its_lines_and_those_behind_values_of_many_lines(dataset):
    given = "sources:\n  - images: /a\n    pixel_size:  # mine\n      y: 1\n      x: 1  # measured\n# next\nweigh:\n"
    put(dataset, given)
    put_source(dataset, Source("/a", pixel_size={"y": 1, "x": 1}, suffix="_mask"), 0)
    assert text_of(dataset).endswith("    suffix: _mask\n    pixel_size: {y: 1.0, x: 1.0} # mine\n# next\nweigh:\n")
