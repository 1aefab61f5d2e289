"""Samples: every pixel shown alike, aligned, repeatable, read ahead by threads that end."""

import itertools
import math
import os
import threading
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from unet.images.channel_statistics import Statistics
from unet.images.planes import Plane, mirrored
from unet.settings.architecture import Architecture
from unet.settings.augmentation import Augmentation
from unet.settings.train import Training
from unet.training import samples, training_plane
from unet.training.samples import (
    batches,
    draw_sheet,
    draw_step,
    tile_origin,
    validation_batches,
)
from unet.training.training_plane import TrainingPlane, held_on_device

CPU = torch.device("cpu")
PADDED = Architecture(base=4, depth=1, padding="same", norm="batch")
AS_IS = [Statistics(0, 1, 0, 1, 0, 0)]
SMALL = Training(
    architecture=PADDED, tile_size=16, batch_size=2, steps=6, augmentation=Augmentation.none(), device="cpu"
)
VARIED = replace(SMALL, augmentation=Augmentation(elastic=2.0))


def plane(image, classes, border=None, as_array=np.asarray, name=""):
    border = np.zeros(classes.shape, np.float32) if border is None else border
    arrays = (image, classes.astype(np.uint8), border)
    return TrainingPlane(*(Plane(as_array(array), ((),)) for array in arrays), AS_IS, name)


def speckled(height=40, width=40, seed=0, **how):
    """Every pixel an object or not, by itself, and its grey value says which."""
    classes = np.random.default_rng(seed).integers(0, 2, (height, width))
    border = np.random.default_rng(seed + 1).random((height, width), np.float32)
    return plane(classes.astype(np.float32), classes, border, **how)


def in_zarr(array):
    stored = zarr.create_array({}, shape=array.shape, dtype=array.dtype, chunks=(8, 8))
    stored[...] = array
    return stored


def assert_same(one, other):
    assert one.names == other.names
    for name in ("image", "classes", "border"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name


def assert_all_same(some, others):
    for one, other in zip(some, others, strict=True):
        assert_same(one, other)


# What the network is shown


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["valid", "same"]),
    st.integers(1, 3),
    st.tuples(*[st.integers(1, 60)] * 2),
    st.integers(1, 40),
    st.integers(0, 9),
)
def test_targets_are_the_centre_of_what_is_seen(padding, depth, shape, tile, seed):
    """In batches to learn from and to look at, from planes that are smaller than a tile too."""
    architecture = Architecture(base=1, depth=depth, padding=padding)
    training = replace(SMALL, architecture=architecture, tile_size=tile, steps=2, seed=seed)
    classes = np.random.default_rng(seed).integers(0, 3, shape)
    one = plane(100 * classes.astype(np.float32), classes, classes.astype(np.float32))
    looks = list(validation_batches([one], training, CPU))
    assert looks
    for batch in (*batches([one], training, CPU), *looks):
        side = architecture.output_size(batch.image.shape[-1])
        assert tile <= side < tile + architecture.multiple
        assert batch.classes.shape[1:] == batch.border.shape[1:] == (side, side)
        lost = (batch.image.shape[-1] - side) // 2
        seen = batch.image[:, 0, lost : lost + side, lost : lost + side]
        assert torch.equal((seen / 100).round().long(), batch.classes)
        assert torch.equal(batch.border, batch.classes.float())


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 99))
def test_a_changed_sample_is_of_the_frame_mirrored_at_its_true_edges_alone(height, width, seed):
    """What was sampled is what lies there in the endlessly mirrored plane: read further, it is the same."""
    noise = np.random.default_rng(seed).random((height, width), np.float32)
    limits = replace(Augmentation.none(), elastic=3.0, rotation=180.0, scale=1.5)
    training = replace(SMALL, augmentation=limits, tile_size=8, seed=seed)
    one = plane(noise, (noise > 0.5), noise)
    drawn = draw_step([one], training, 0, 0)
    wider = replace(drawn, windows=_windows_with_more(drawn, training, 16))
    found, other = (samples._finish(step, training, CPU) for step in (drawn, wider))
    assert_same(found, other)
    assert torch.equal(found.image[:, 0], found.border)


def _windows_with_more(drawn, training, more):
    """The same samples read through windows that are `more` pixels larger on each side."""
    reach = (drawn.windows.classes.shape[-1] - drawn.samples[0].target.height) // 2 + more
    layers = [training_plane.window_of(s.plane, samples._grown(s.target, reach)) for s in drawn.samples]
    return samples.Batch(*(torch.stack(layer) for layer in zip(*layers, strict=True)), drawn.windows.names)


def test_images_are_normalised_by_the_statistics_of_their_acquisition():
    one = replace(speckled(), statistics=[Statistics(-10, 10, 0, 0, 0, 0)])
    (look, *_) = validation_batches([one], SMALL, CPU)
    assert set(look.image.unique().tolist()) == set(np.float32([0.5, 0.55]).tolist())


@pytest.mark.parametrize("asked", [True, False])
def test_the_border_term_is_seen_only_where_it_is_asked_for(asked):
    one = plane(np.zeros((20, 20), np.float32), np.zeros((20, 20)), np.ones((20, 20), np.float32))
    for batch in (
        *batches([one], replace(VARIED, use_border_weights=asked), CPU),
        *validation_batches([one], SMALL, CPU),
    ):
        assert batch.border.unique().tolist() in ([1.0], [float(asked)])
    assert {float(b.border.max()) for b in batches([one], replace(VARIED, use_border_weights=asked), CPU)} == {
        float(asked)
    }


def test_a_look_is_at_no_more_than_so_many_pixels_spread_over_all_frames(monkeypatch):
    monkeypatch.setattr(samples, "VALIDATION_PIXELS", 32 * 16**2)
    planes = [plane(np.full((64, 64), n, np.float32), np.zeros((64, 64), int), name=str(n)) for n in range(5)]
    looks = list(validation_batches(planes, SMALL, CPU))
    assert len(looks) <= 32
    assert {look.image.unique().item() for look in looks} == set(range(5))
    assert all(look.names == (str(int(look.image[0, 0, 0, 0])),) for look in looks)


# Which pixels


@given(st.integers(2, 40), st.integers(1, 50))
def test_every_pixel_is_shown_equally_often(size, side):
    """Over all places of the centre, mirror images counted; the outermost have none, and are shown half as often."""
    steps, shown = 2 * (size - 1), Counter()
    for chance in (np.arange(steps) + 0.5) / steps:
        begin = tile_origin(size, side, chance)
        assert -side / 2 <= begin <= size - side / 2
        shown.update(mirrored(begin, begin + side, size).tolist())
    inner = {shown[pixel] for pixel in range(1, size - 1)}
    assert len(inner) <= 1
    assert shown[0] == shown[size - 1]
    assert all(2 * shown[0] == often for often in inner)


def test_pixels_of_frames_of_all_sizes_are_shown_alike():
    """Drawn: each pixel of three planes bears its number; shown 225 times on average."""
    shapes = [(30, 20), (12, 50), (40, 40)]
    starts = np.cumsum([0, *(h * w for h, w in shapes)])
    planes = [
        plane(np.arange(a, b, dtype=np.float32).reshape(shape), np.zeros(shape), name=str(a))
        for a, b, shape in zip(starts, starts[1:], shapes, strict=False)
    ]
    shown = np.zeros(starts[-1])
    drawn = batches(planes, replace(SMALL, steps=350, batch_size=7), CPU)
    for batch in drawn:
        np.add.at(shown, batch.image.long().flatten().numpy(), 1)
    expected = shown.sum() / sum((h - 1) * (w - 1) for h, w in shapes)
    for start, (h, w) in zip(starts, shapes, strict=False):
        one = shown[start : start + h * w].reshape(h, w)
        inner = one[1:-1, 1:-1]
        assert inner.mean() == pytest.approx(expected, rel=0.12)
        for part in (inner[:4, :4], inner[:4, -4:], inner[-4:, :4], inner[-4:, -4:]):
            assert part.mean() == pytest.approx(inner.mean(), rel=0.3)


def test_windows_that_are_wholly_ignored_are_drawn_again():
    classes = np.full((200, 200), 255)
    classes[50:60, 50:60] = 1
    one = plane(np.zeros((200, 200), np.float32), classes)
    for batch in batches([one], SMALL, CPU):
        assert (batch.classes == 1).flatten(1).any(1).all()
    looks = list(validation_batches([one], replace(SMALL, tile_size=40), CPU))
    assert [bool((look.classes == 1).any()) for look in looks] == [True]


def test_a_training_part_that_is_wholly_ignored_is_refused():
    one = plane(np.zeros((20, 20), np.float32), np.full((20, 20), 255))
    with pytest.raises(ValueError, match="pixels that are not ignored, got none in 1000 windows of 16 px; look at the"):
        list(batches([one], SMALL, CPU))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_share_of_the_samples_shows_an_object_however_rare(share):
    """One object in a plane of 100 tiles: by chance one sample in 90 or so shows it."""
    classes = np.zeros((160, 160))
    classes[40:44, 90:94] = 1
    one, settings = plane(np.zeros((160, 160), np.float32), classes), replace(SMALL, steps=100, object_share=share)
    shows = [bool(shown.any()) for batch in batches([one], settings, CPU) for shown in batch.classes == 1]
    assert np.mean(shows) == pytest.approx(0.015 + 0.4 * share, abs=0.1)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_pixels_that_are_not_finite_are_ignored(wrong):
    one = speckled()
    one.image.array[3, 4] = wrong
    for drawn in (batches([one], replace(SMALL, steps=50), CPU), validation_batches([one], SMALL, CPU)):
        read = list(drawn)
        assert all(batch.image.isfinite().all() for batch in read)
        assert any((batch.classes == 255).any() for batch in read)
        assert all(((batch.classes == 255) <= (batch.image[:, 0] == 0)).all() for batch in read)


# Same in, same out


def test_samples_of_one_class_are_those_that_were_drawn_before_there_were_several():
    """Pinned where there was no other way to draw: a model of then that is trained on ends as it would have."""
    classes = np.zeros((160, 160))
    classes[40:44, 90:94], classes[:, 150:] = 1, 255
    training = Training(PADDED, tile_size=16, batch_size=4, device="cpu")
    drawn = [draw_step([plane(classes.astype(np.float32), classes)], training, 0, step) for step in range(4)]
    assert [[(sample.target.y, sample.target.x) for sample in step.samples] for step in drawn] == [
        [(-1, -5), (25, 83), (105, 133), (58, 146)],
        [(120, 145), (29, 140), (131, 12), (21, 137)],
        [(41, 80), (126, 15), (5, 77), (25, 61)],
        [(44, 43), (31, 81), (135, 62), (106, 107)],
    ]
    assert [float(step.windows.image.double().sum()) for step in drawn] == [1193416.0, 1540718.0, 56.0, 581432.0]
    assert [round(sample.change.gain, 6) for sample in drawn[0].samples] == [1.074217, 1.073462, 0.910617, 1.107644]


def test_the_seed_decides_everything():
    one, again, other = (list(batches([speckled()], replace(VARIED, seed=seed), CPU)) for seed in (3, 3, 4))
    assert_all_same(one, again)
    assert not any(torch.equal(a.image, b.image) for a, b in zip(one, other, strict=True))
    assert not any(torch.equal(a.image, b.image) for a, b in itertools.combinations(one, 2))


@pytest.mark.parametrize("start", [0, 1, 4, 6])
def test_a_resumed_run_draws_what_an_undisturbed_one_would_have_drawn(start):
    whole = list(batches([speckled(), speckled(seed=1)], VARIED, CPU))
    assert_all_same(whole[start:], batches([speckled(), speckled(seed=1)], VARIED, CPU, start))


def test_processes_that_share_a_batch_draw_its_parts():
    planes = [speckled(seed=seed, name=str(seed)) for seed in range(3)]
    whole = batches(planes, replace(VARIED, batch_size=4), CPU)
    parts = zip(*(batches(planes, VARIED, CPU, first=first) for first in (0, 2)), strict=True)
    for together, (one, two) in zip(whole, parts, strict=True):
        assert together.names == one.names + two.names
        assert torch.allclose(together.image, torch.cat([one.image, two.image]), atol=1e-6, rtol=0)
        for name in ("classes", "border"):
            assert torch.equal(getattr(together, name), torch.cat([getattr(one, name), getattr(two, name)]))


def test_frames_in_a_store_and_on_the_device_give_what_frames_in_memory_give():
    held = speckled(30, 50)
    on_device = replace(held, held=training_plane._on(held, CPU))
    stored = speckled(30, 50, as_array=in_zarr)
    for other in (stored, on_device):
        assert_all_same(batches([held], VARIED, CPU), batches([other], VARIED, CPU))


def test_frames_are_not_held_where_there_is_no_gpu():
    planes = [speckled()]
    assert held_on_device(planes, CPU) == planes


# Threads


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("samples")]


def test_no_thread_is_left_where_training_ends_early():
    with closing(batches([speckled()], replace(VARIED, steps=1000), CPU)) as drawn:
        next(drawn)
        assert readers()
    assert not readers()


# The picture


def test_the_sheet_shows_samples_as_drawn_above_and_as_changed_below():
    training = replace(VARIED, batch_size=6, augmentation=replace(Augmentation.none(), offset=0.5))
    one = plane(np.full((40, 40), 0.5, np.float32), np.zeros((40, 40)))
    sheet = draw_sheet([one], training, CPU)
    assert sheet.shape == (2 * 18, 4 * 18, 3)
    above, below = ({int(sheet[y, 18 * i + 5, 0]) for i in range(4)} for y in (5, 23))
    assert len(above) == 1
    assert len(below) == 4


@pytest.mark.skipif("UNET_FLOWS_DATA" not in os.environ, reason="UNET_FLOWS_DATA names no folder of real images")
def test_real_membranes_stay_dark_under_their_outlines():
    """Of drawn and of changed samples alike, the background class is darker than the objects."""
    folder = Path(os.environ["UNET_FLOWS_DATA"]) / "isbi2012_em"
    image, truth = (tifffile.imread(folder / kind / "00.tif") for kind in ("image", "label"))
    one = replace(plane(image, truth > 0), statistics=[Statistics(0, 255, 0, 255, 0, 0)])
    training = replace(SMALL, tile_size=128, steps=3, augmentation=Augmentation(slope=0.0, gamma=1.2))
    for batch in batches([one], training, CPU):
        for grey, classes in zip(batch.image[:, 0], batch.classes, strict=True):
            assert grey[classes == 0].mean() < 0.75 * grey[classes == 1].mean()
