"""Two models on what neither was trained on: which planes those are, the verdict, and what is missing."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from tasks.tools.compare import PLANES, Comparison, compare_models, count_words, outdated, verdict_words
from unet.dataset.folder import Folder
from unet.evaluation.metrics import METRICS
from unet.evaluation.paired import SAME, WORSE, Difference
from unet.ledger.metadata_file import KEY
from unet.ledger.results import labels_of, model_of, report_of
from unet.network.model_files import bring_in

NAMES = [name for name, metric in METRICS.items() if metric.better]
SPLIT = {**{f"t{n}": "training" for n in range(3)}, **{f"v{n}": "validation" for n in range(6)}}


@pytest.fixture
def report(dataset):
    """Makes a model with a report of these parts: `report("other", {"a": "test"}, 0.8)`."""

    def make(name, parts, level, planes=2, table=True, lacks=()):
        if name != "unet":
            bring_in(dataset, Folder(dataset.model("unet").url), name)
        result = report_of(dataset, name)
        chance = np.random.default_rng(len(name))
        before = report_of(dataset, "unet").committed()
        inputs = {key: of for key, of in before.recipe.inputs.items() if key.endswith(" segments")}
        inputs |= {f"{stack} truth": "as drawn" for stack in parts}
        recipe = type(before.recipe)("evaluate", before.recipe.version, {"by": name}, inputs)
        generation = result.begin(recipe, {})
        rows = [
            {"stack": s, "plane": p, "part": of, "objects": 10, **figures(level + chance.normal(0, 0.01), lacks)}
            for s, of in parts.items()
            for p in range(planes)
        ]
        if table:
            (generation.folder / PLANES).write(as_csv(rows))
        stacks = {row["stack"]: {"part": row["part"], **{name: row[name] for name in NAMES}} for row in rows}
        digests = {"model": model_of(dataset, name).committed().identity}
        result.commit(generation, {"model": name, "stacks": stacks, "settings": {}, "digests": digests}, {})

    return make


def figures(level, lacks):
    return {name: "" if name in lacks else level for name in NAMES}


def as_csv(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def test_a_model_like_another_is_no_different_and_one_that_is_worse_is_worse(dataset, report):
    report("unet", SPLIT, 0.8)
    report("like", SPLIT, 0.81)
    report("short", SPLIT, 0.5)
    assert compare_models(dataset, "unet", "like").verdict == "no difference"
    found = compare_models(dataset, "unet", "short")
    assert (found.verdict, found.is_surely_worse) == ("worse", True)
    assert compare_models(dataset, "short", "unet").verdict == "better"
    assert verdict_words(found).startswith(f"short is worse than unet: {METRICS[NAMES[0]].label} -0.3")
    assert count_words(found) == "12 planes of 6 stacks that neither was trained on: 12 validation"


def test_only_what_neither_was_trained_on_counts_and_its_part_is_said(dataset, report):
    report("unet", SPLIT | {"gap": "training"}, 0.8)
    report(
        "other", {**SPLIT, "v0": "training", "v1": "new", "v2": "new", "t0": "test", "gap": "test", "more": "new"}, 0.8
    )
    found = compare_models(dataset, "unet", "other")
    assert found.parts == {"validation of unet, new of other": 4, "validation": 6}
    assert found.stacks == 5


def test_reports_of_before_have_stacks_alone(dataset, report):
    report("unet", SPLIT, 0.8, table=False)
    report("other", SPLIT, 0.5)
    found = compare_models(dataset, "unet", "other")
    assert found.metrics[NAMES[0]].n == 6
    assert count_words(found) == "6 stacks that neither was trained on: 6 validation"


def test_a_stack_whose_truth_changed_between_the_reports_is_left_out(dataset, report):
    report("unet", SPLIT, 0.8)
    report("other", SPLIT, 0.8)
    result = report_of(dataset, "other")
    values = (result.folder / "metrics.json").read_json()
    values[KEY]["recipe"]["inputs"]["v3 truth"] = "drawn again"
    (result.folder / "metrics.json").write_json(values)
    found = compare_models(dataset, "unet", "other")
    assert found.stacks == 5
    assert found.notes == ["left out, as their truth changed between the two reports: v3"]


def test_a_metric_that_one_of_them_lacks_is_left_out(dataset, report):
    report("unet", SPLIT, 0.8)
    report("other", SPLIT, 0.8, lacks=NAMES[:1])
    found = compare_models(dataset, "unet", "other")
    assert list(found.metrics) == NAMES[1:]
    assert found.telling == NAMES[1]


@pytest.mark.parametrize("content", [None, b"", b"a,b\n1,2\n", b"\xff", b'"' + b"x" * 200_000])
def test_a_table_that_is_not_what_was_made_is_refused(dataset, report, content):
    report("unet", SPLIT, 0.8)
    report("other", SPLIT, 0.8)
    result = report_of(dataset, "other")
    table = result.folder / result.committed().generation / PLANES
    table.remove() if content is None else table.write(content)
    with pytest.raises(ValueError, match=r"planes\.csv must be as it was made, and is not; run `unet-flows .*=other`"):
        compare_models(dataset, "unet", "other")


def test_what_was_changed_is_said(dataset, report):
    report("unet", SPLIT, 0.8)
    report("other", SPLIT, 0.8)
    assert [change for change in compare_models(dataset, "unet", "other").changes if change.startswith("came")] == [
        f"came from – → {dataset.model('unet').url}"
    ]


def test_what_is_missing_is_named_with_the_command_that_makes_it(dataset, report):
    with pytest.raises(LookupError, match="must be named, got 'nobody'; known: unet"):
        compare_models(dataset, "unet", "nobody")
    bring_in(dataset, Folder(dataset.model("unet").url), "guest")
    with pytest.raises(LookupError, match=r"guest must have a report, got none; run `unet-flows .*model=guest"):
        compare_models(dataset, "unet", "guest")
    report("unet", SPLIT, 0.8)
    report("other", dict.fromkeys(SPLIT, "training"), 0.8)
    with pytest.raises(LookupError, match=r"that neither was trained on, got none in common; train them with the same"):
        compare_models(dataset, "unet", "other")


def test_a_report_of_an_earlier_model_is_told(dataset, report):
    report("unet", SPLIT, 0.8)
    report("other", SPLIT, 0.8)
    report_of(dataset, "other").amend({}, more={"digests": {"model": "another"}})
    (note,) = compare_models(dataset, "unet", "other").notes
    assert note.startswith("the report of other is of an earlier other; `unet-flows reprocess")


def test_a_report_of_other_segments_than_are_there_is_told(dataset, report):
    report("unet", SPLIT, 0.8)
    report("other", SPLIT, 0.8)
    assert outdated(dataset, "unet") == []
    segments = labels_of(dataset, dataset.stacks()[0], "unet")
    segments.commit(segments.begin(replace(segments.committed().recipe, version=99), {}), segments.attributes(), {})
    (note,) = compare_models(dataset, "unet", "other").notes
    assert note.startswith("the report of unet is of segments that were made anew since; `unet-flows reprocess")


def test_an_interval_that_has_no_end_is_nothing_to_a_script():
    found = {"iou": Difference(0.5, 0.6, 0.1, -np.inf, np.inf, 1, "too few to tell")}
    plain = Comparison("a", "b", {"test": 1}, 1, True, found, [], []).plain()
    assert plain["metrics"]["iou"]["low"] is None
    assert plain["verdict"] == "too few to tell"


@pytest.mark.parametrize(
    ("low", "high", "verdict", "said"),
    [
        (
            -0.1,
            -0.02,
            SAME,
            "b beside a, no difference: average precision -0.060 (-0.100 to -0.020)",
        ),
        (-0.1, 0.02, SAME, "b beside a, no difference: average precision -0.040 (-0.100 to +0.020)"),
        (-0.1, -0.02, WORSE, "b is worse than a: average precision -0.060 (-0.100 to -0.020)"),
    ],
)
def test_a_sure_difference_that_is_called_none_says_why(low, high, verdict, said):
    of = Difference(0.8, 0.8, (low + high) / 2, low, high, 9, verdict)
    words = verdict_words(Comparison("a", "b", {"test": 9}, 9, True, {"average_precision": of}, [], []))
    assert words.startswith(said)
    assert ("anyhow" in words) == (verdict == SAME and high < 0)
