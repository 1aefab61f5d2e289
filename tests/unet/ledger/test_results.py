"""Law of places: each result of a dataset has one of its own, and a stage's is that of what it makes."""

from unet.dataset.folder import Dataset
from unet.ledger.outcome import STAGES
from unet.ledger.results import image_of, labels_of, model_of, report_of, result_of, scores_of, weights_of

DATASET = Dataset("/data")
RESULTS = [
    image_of(DATASET, "a"),
    labels_of(DATASET, "a", "truth"),
    labels_of(DATASET, "a", "m"),
    weights_of(DATASET, "a"),
    model_of(DATASET, "m"),
    scores_of(DATASET, "m", "a"),
    report_of(DATASET, "m"),
]


def test_no_two_results_share_a_card():
    assert len({(result.folder / result.metadata_file).url for result in RESULTS}) == len(RESULTS)


def test_truth_alone_is_edited_and_nothing_is_published_over_another():
    assert [result.is_edited for result in RESULTS] == [False, True, False, False, False, False, False]
    published = [place.url for result in RESULTS for _, place in result.published]
    assert published == ["/data/tables/m/a.parquet", "/data/reports/m/report.html", "/data/reports/m/planes.csv"]


def test_each_stage_makes_another():
    made = [result_of(DATASET, stage, "m" if stage == "train" else "a", "m") for stage in STAGES]
    assert all(result in RESULTS for result in made)
    assert len({result.folder.url for result in made}) == len(STAGES)
