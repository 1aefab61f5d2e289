"""Laws of the gallery: a few pictures of what a stage made, read from what is small; what is not there is left out."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.reporting import gallery as module
from tasks.reporting.gallery import gallery
from tasks.segment import segment_stacks
from tests.classes import put_model, put_scores, put_truth_classes
from unet.images.planes import Plane
from unet.images.synthetic import draw_stack
from unet.ledger.outcome import STAGES
from unet.ledger.results import scores_of
from unet.reports import pictures
from unet.settings.segment import Segment
from unet.store import ome


def colours_of(picture):
    with Image.open(io.BytesIO(picture.png)) as image:
        return {tuple(colour) for colour in np.asarray(image.convert("RGB")).reshape(-1, 3).tolist()}


@pytest.mark.parametrize("of", STAGES)
def test_every_stage_shows_what_it_made(dataset, of):
    drawn = gallery(dataset, of, "unet", ["a", "b"], 2)
    titles = {"train": ["unet: training", "unet: samples"], "evaluate": ["unet: worst", "unet: best"]}
    assert [one.title for one in drawn] == [f"{of} {title}" for title in titles.get(of, ["a", "b"])]
    for one in drawn:
        assert len(colours_of(one)) > 3


def test_there_are_no_more_than_asked_for(dataset):
    assert [one.title for one in gallery(dataset, "ingest", "unet", ["c", "b", "a"], 2)] == ["ingest c", "ingest b"]
    assert gallery(dataset, "ingest", "unet", ["c"], 0) == []


def test_truth_is_tinted_where_there_is_truth(dataset):
    with_truth, without = gallery(dataset, "ingest", "unet", ["a", "c"], 2)
    grey = {colour for colour in colours_of(without) if len(set(colour)) == 1}
    assert colours_of(without) == grey
    assert colours_of(with_truth) - grey


def test_segments_have_orange_or_white_outlines(dataset):
    a, c = gallery(dataset, "segment", "unet", ["a", "c"], 2)
    assert colours_of(a) & {pictures.TRUTH_COLOUR, pictures.BOTH_COLOUR}
    assert pictures.SEGMENTS_COLOUR in colours_of(c)
    assert not colours_of(c) & {pictures.TRUTH_COLOUR}


def test_of_several_classes_objects_have_the_colours_of_these(make, stage, level):
    (image, truth), names = draw_stack(planes=2, side=64, seed=1), ("nucleus", "mitosis")
    dataset = make({"a": (image, truth)})
    stage(dataset, "ingest")
    ids = np.unique(truth[truth > 0])
    put_truth_classes(dataset, "a", {"mitosis": ids[1::2], "nucleus": ids[::2]})
    put_model(dataset, names)
    put_scores(dataset, np.stack([np.isin(truth, some) * np.uint8(220) for some in (ids[::2], ids[1::2])]))
    segment_stacks.fn(dataset.url, ["a"], "net", Segment())
    palette = {tuple(colour) for colour in pictures.class_palette(np.array([2])).tolist()}
    (drawn,) = gallery(dataset, "segment", "net", ["a"], 1)
    assert palette <= colours_of(drawn)
    (tinted,) = gallery(dataset, "ingest", "net", ["a"], 1)
    coloured = [colour for colour in colours_of(tinted) if len(set(colour)) > 1]
    assert any(red > blue for red, _, blue in coloured)
    assert any(red < blue for red, _, blue in coloured)


def test_what_is_not_there_is_left_out_and_said(dataset, caplog):
    shutil.rmtree(Path(dataset.image("a").url))
    assert [one.title for one in gallery(dataset, "ingest", "unet", ["a", "b"], 2)] == ["ingest b"]
    assert "ingest a is not shown" in caplog.text


def test_scores_that_were_dropped_are_left_out_in_silence(dataset, caplog):
    scores = scores_of(dataset, "unet", "a")
    shutil.rmtree(Path(ome.full_level(scores).url).parent)
    assert [one.title for one in gallery(dataset, "predict", "unet", ["a", "b"], 2)] == ["predict b"]
    assert caplog.text == ""


@pytest.mark.parametrize("of", ["ingest", "predict", "segment"])
def test_only_the_coarsest_level_is_read(dataset, stage, small_shards, monkeypatch, of):
    small_shards(32)
    for each in ("ingest", "predict", "segment"):
        stage(dataset, each, force=each)
    read, seen = Plane.read, []
    monkeypatch.setattr(Plane, "read", lambda plane, window: seen.append(plane.array.shape) or read(plane, window))
    assert gallery(dataset, of, "unet", ["a"], 1)
    assert {shape[-2:] for shape in seen} == {(32, 32)}


def test_weights_of_a_large_plane_are_looked_at_within_a_window(dataset, monkeypatch):
    monkeypatch.setattr(module, "WINDOW_SIDE", 32)
    read, seen = Plane.read, []
    monkeypatch.setattr(Plane, "read", lambda plane, window: seen.append(window) or read(plane, window))
    assert gallery(dataset, "weigh", "unet", ["a"], 1)
    assert {(window.y, window.x, window.height, window.width) for window in seen} == {(16, 16, 32, 32)}
