"""Training: repeatable to the bit, aligned to the pixel, the best kept, and loud when it cannot go on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import zarr

from unet.images.channel_statistics import Statistics
from unet.images.planes import Plane, planes
from unet.network.inference import predict_image
from unet.settings.architecture import Architecture
from unet.settings.augmentation import Augmentation
from unet.training.train import Training, TrainingPlane, train

PADDED = Architecture(base=4, depth=1, padding="same", norm="batch")
UNPADDED = Architecture(base=4, depth=1)
CALM = replace(Augmentation.none(), elastic=2)
SMALL = Training(
    architecture=PADDED,
    tile_size=16,
    batch_size=2,
    steps=6,
    validate_every=2,
    learning_rate=0.01,
    dice_weight=0,
    augmentation=CALM,
    device="cpu",
)
AS_IS = [Statistics(0, 1, 0, 1, 0, 0)]
EVEN = [1.0, 1.0]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def plane(image, classes, border=None, as_array=np.asarray):
    border = np.zeros(classes.shape, np.float32) if border is None else border
    arrays = (image, classes.astype(np.uint8), border)
    return TrainingPlane(*(Plane(as_array(array), ((),)) for array in arrays), AS_IS)


def speckled(height=40, width=40, seed=0, **how):
    """Every pixel an object or not, by itself, and its grey value says which: one pixel off, nothing fits any more."""
    classes = np.random.default_rng(seed).integers(0, 2, (height, width))
    return plane(classes.astype(np.float32), classes, **how)


def parameters(trained):
    return torch.cat([values.double().flatten() for values in trained.network.state_dict().values()])


def losses(trained):
    return [step.loss for step in trained.history]


def in_zarr(array):
    stored = zarr.create_array({}, shape=array.shape, dtype=array.dtype, chunks=(8, 8))
    stored[...] = array
    return stored


# Same in, same out


def test_the_seed_decides_everything():
    one, again, other = (train([speckled()], [speckled(seed=1)], EVEN, replace(SMALL, seed=s)) for s in (3, 3, 4))
    assert torch.equal(parameters(one), parameters(again))
    assert (one.history, one.best) == (again.history, again.best)
    assert not torch.equal(parameters(one), parameters(other))


def test_frames_in_a_store_teach_what_frames_in_memory_teach():
    border = np.random.default_rng(2).random((40, 40), np.float32)
    held, stored = (
        train([speckled(border=border, as_array=of)], [speckled(seed=1, as_array=of)], EVEN, SMALL)
        for of in (np.asarray, in_zarr)
    )
    assert torch.equal(parameters(held), parameters(stored))


@pytest.mark.parametrize("asked", [True, False])
def test_the_border_term_is_seen_only_where_it_is_asked_for(asked):
    settings = replace(SMALL, use_border_weights=asked)
    without, with_it = (
        train([speckled(border=np.full((40, 40), weight, np.float32))], [], EVEN, settings) for weight in (0, 9)
    )
    assert losses(with_it)[0] == pytest.approx(losses(without)[0] * (10 if asked else 1))


# What the network is shown


@pytest.mark.parametrize("architecture", [PADDED, UNPADDED])
def test_what_was_learnt_stands_where_it_was_shown(architecture):
    """The classes of single pixels, learnt and predicted: an offset in either would be as good as guessing."""
    one = speckled()
    settings = replace(SMALL, architecture=architecture, steps=60, batch_size=4, learning_rate=0.02)
    network = train([one], [], EVEN, settings).network
    scores = predict_image(network, one.image.read(one.image.window))
    assert np.mean((scores[0] > 0.5) == one.classes.read(one.image.window)[0]) > 0.9


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_and_planes_of_a_stack(channels):
    """All t and z planes of a stack, each with its channels, as the task hands them over."""
    random = np.random.default_rng(0)
    stack, truth = random.random((3, channels, 20, 24), np.float32), random.integers(0, 2, (3, 20, 24)).astype(np.uint8)
    layers = planes(stack, "zcyx", range(channels)), planes(truth, "zyx"), planes(truth.astype(np.float32), "zyx")
    drawn = [TrainingPlane(*plane, AS_IS * channels) for plane in zip(*layers, strict=True)]
    settings = replace(SMALL, architecture=replace(PADDED, in_channels=channels))
    assert len(train(drawn, drawn[:1], EVEN, settings).history) == 6


# How it goes


@pytest.mark.parametrize(
    "architecture",
    [PADDED, UNPADDED, replace(PADDED, depth=2), replace(UNPADDED, depth=2, dropout=0.1)],
)
@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_a_small_problem_is_learnt(architecture, optimiser):
    rate, momentum = (0.02, 0.99) if optimiser == "adamw" else (0.1, 0.9)
    wider = replace(architecture, base=8)  # with 4 channels and no norm, all may die at the start
    settings = replace(SMALL, architecture=wider, optimiser=optimiser, steps=40, learning_rate=rate, momentum=momentum)
    y, x = np.mgrid[:40, :40]
    discs = ((y % 20 - 10) ** 2 + (x % 20 - 10) ** 2 < 30).astype(int)
    trained = train([plane(discs.astype(np.float32), discs)], [], EVEN, settings)
    assert np.mean(losses(trained)[-5:]) < 0.5 * losses(trained)[0]


def test_each_step_is_told():
    told = []
    trained = train([speckled()], [], EVEN, SMALL, lambda *words: told.append(words))
    assert told == [(step.step, 6, f"loss {step.loss:.3f}") for step in trained.history]


# What cannot go on


def test_no_frame_is_refused():
    with pytest.raises(ValueError, match="at least one plane with truth, got none; draw labels or add a truth folder"):
        train([], [speckled()], EVEN, SMALL)


def test_a_missing_gpu_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device=cuda must find a GPU"):
        train([speckled()], [], EVEN, replace(SMALL, device="cuda"))


def test_more_devices_than_there_are_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match=r"train\.devices must be ≤ the GPUs of this machine, 1, got 2; lower it"):
        train([speckled()], [], EVEN, replace(SMALL, device="cuda", devices=2))


def test_a_weight_for_each_class_is_needed():
    with pytest.raises(ValueError, match="one for each of the network's 2 classes, got 3; set train"):
        train([speckled()], [], [1.0, 1.0, 1.0], SMALL)


@pytest.mark.parametrize(("side", "said"), [(7, True), (8, False)])
def test_frames_smaller_than_the_context_are_mirrored_again_and_again_and_that_is_said(side, said, caplog):
    """The context of an unpadded network of depth 1 is 8 px."""
    trained = train([speckled(side, 30)], [], EVEN, replace(SMALL, architecture=UNPADDED))
    assert len(trained.history) == 6
    assert ("1 of 1 planes are smaller than the network's context of 8 px" in caplog.text) == said
