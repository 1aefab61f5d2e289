"""Laws of publishing: the artifact says what the report says, is small, and is made within a run alone."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from tasks.reporting import artifacts
from unet.dataset.folder import Dataset
from unet.ledger.results import model_of, report_of
from unet.ledger.stamp import Recipe
from unet.reports import pictures

FIGURE = {"value": 0.75, "low": 0.5, "high": 0.875, "n": 3}
UNDEFINED = {"value": None, "low": None, "high": None, "n": 0}


@pytest.fixture
def dataset(tmp_path):
    """A dataset with the report of a model `U-Net_2` and pictures that no PNG makes small."""
    dataset = Dataset(str(tmp_path / "dataset"))
    result = report_of(dataset, "U-Net_2")
    generation = result.begin(Recipe("evaluate", 1, {}, {}), {})
    noise = np.random.default_rng(0).integers(0, 256, (900, 1200, 3)).astype(np.uint8)
    for name in ("best", "median", "worst"):
        (generation.folder / f"{name}.png").write(pictures.png(noise))
    metrics = {"validation": {"iou": FIGURE, "seg": UNDEFINED}, "training": {"iou": FIGURE, "seg": FIGURE}}
    result.commit(generation, {"model": "U-Net_2", "made": "2026-11-22T16:00:00+00:00", **metrics})
    return dataset


def test_figures_stand_with_their_intervals(dataset):
    page = artifacts.as_markdown(dataset, "U-Net_2")
    assert "| metric | validation | training |" in page
    assert "| iou | **0.750** (0.500 – 0.875, n = 3) | **0.750** (0.500 – 0.875, n = 3) |" in page
    assert "| seg | undefined | **0.750** (0.500 – 0.875, n = 3) |" in page
    assert f"`{dataset.url}/reports/U-Net_2/report.html`" in page


def test_the_report_is_found_from_anywhere(dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert f"`{dataset.url}/reports/U-Net_2/report.html`" in artifacts.as_markdown(Dataset("dataset"), "U-Net_2")


def test_the_artifact_stays_small_whatever_the_pictures(dataset):
    page = artifacts.as_markdown(dataset, "U-Net_2")
    assert len(page.encode()) <= 300_000
    shown = re.findall(r"!\[(\w+)\]\(data:image/png;base64,([^)]+)\)", page)
    assert [name for name, _ in shown] == ["worst", "median", "best"]  # no curve: a model of elsewhere has none
    for _, content in shown:
        with Image.open(io.BytesIO(base64.b64decode(content))) as image:
            assert min(image.size) > 100
            assert image.width / image.height == pytest.approx(4 / 3, rel=0.02)


def test_small_pictures_are_not_shrunk(dataset):
    report = report_of(dataset, "U-Net_2")
    pixels = np.zeros((90, 120, 3), np.uint8)
    (report.folder / report.committed().generation / "best.png").write(pictures.png(pixels))
    content = re.search(r"!\[best\]\(data:image/png;base64,([^)]+)\)", artifacts.as_markdown(dataset, "U-Net_2"))
    with Image.open(io.BytesIO(base64.b64decode(content[1]))) as image:
        assert image.size == (120, 90)


def test_a_report_on_nothing_says_so(tmp_path):
    dataset = Dataset(str(tmp_path))
    result = report_of(dataset, "unet")
    result.commit(result.begin(Recipe("evaluate", 1, {}, {}), {}), {"model": "unet", "made": "today"})
    assert "Nothing was there to compare with." in artifacts.as_markdown(dataset, "unet")


def test_outside_a_run_nothing_happens(dataset, monkeypatch):
    monkeypatch.setattr(artifacts, "create_markdown_artifact", lambda *_, **__: pytest.fail("no run, no artifact"))
    artifacts.publish_report(dataset, "U-Net_2")


def test_within_a_run_there_is_one_artifact_with_a_key_that_prefect_takes(dataset, monkeypatch):
    made = []
    monkeypatch.setattr(artifacts, "create_markdown_artifact", lambda page, **more: made.append((page, more)))
    monkeypatch.setattr(artifacts, "TaskRunContext", type("Within", (), {"get": staticmethod(lambda: "a run")}))
    artifacts.publish_report(dataset, "U-Net_2")
    artifacts.publish_report(dataset, "no-report-yet")
    page = artifacts.as_markdown(dataset, "U-Net_2")
    assert made == [(page, {"key": "report-u-net-2", "description": "Report on U-Net_2"})]


def test_a_training_shows_its_curve_and_its_samples(dataset, monkeypatch):
    made = []
    monkeypatch.setattr(artifacts, "create_markdown_artifact", lambda page, **more: made.append((page, more)))
    result = model_of(dataset, "U-Net_2")
    generation = result.begin(Recipe("train", 1, {}, {}), {})
    for name in ("training", "samples"):
        (generation.folder / f"{name}.png").write(pictures.png(np.zeros((30, 40, 3), np.uint8)))
    result.commit(generation, {"best_step": 70})
    artifacts.publish_training(dataset, "U-Net_2")
    assert made == []  # outside a run
    monkeypatch.setattr(artifacts, "TaskRunContext", type("Within", (), {"get": staticmethod(lambda: "a run")}))
    artifacts.publish_training(dataset, "no-model-yet")
    artifacts.publish_training(dataset, "U-Net_2")
    [(page, more)] = made
    assert more["key"] == "training-u-net-2"
    assert "step 70" in page
    assert page.count("data:image/png;base64,") == 2
