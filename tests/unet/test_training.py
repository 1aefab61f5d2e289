"""Training: repeatable to the bit, aligned to the pixel, the best kept, and loud when it cannot go on."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from unet import training as module
from unet.architecture import Architecture
from unet.inference import predict_image
from unet.mirror import Plane, planes
from unet.statistics import Statistics
from unet.tiles import Window
from unet.training import Frame, Step, Training, plain_history, train

PADDED = Architecture(base=4, depth=1, padding="same", norm="batch")
UNPADDED = Architecture(base=4, depth=1)
SMALL = Training(architecture=PADDED, tile=16, batch=2, steps=6, validate_every=2, rate=0.01, elastic=2, device="cpu")
AS_IS = [Statistics(0, 1, 0, 1, 0, 0)]
EVEN = [1.0, 1.0]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def frame(image, classes, border=None, as_array=np.asarray):
    border = np.zeros(classes.shape, np.float32) if border is None else border
    arrays = (image, classes.astype(np.uint8), border)
    return Frame(*(Plane(as_array(array), ((),)) for array in arrays), AS_IS)


def speckled(height=40, width=40, seed=0, **how):
    """Every pixel an object or not, by itself, and its grey value says which: one pixel off, nothing fits any more."""
    classes = np.random.default_rng(seed).integers(0, 2, (height, width))
    return frame(classes.astype(np.float32), classes, **how)


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
    settings = replace(SMALL, border=asked)
    without, with_it = (
        train([speckled(border=np.full((40, 40), weight, np.float32))], [], EVEN, settings) for weight in (0, 9)
    )
    assert losses(with_it)[0] == pytest.approx(losses(without)[0] * (10 if asked else 1))


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
    """In batches to learn from and to look at, from frames that are smaller than a tile too."""
    architecture = Architecture(base=1, depth=depth, padding=padding)
    training = replace(SMALL, architecture=architecture, tile=tile, elastic=0, steps=2, seed=seed)
    classes = np.random.default_rng(seed).integers(0, 3, shape)
    one = frame(100 * classes.astype(np.float32), classes, classes.astype(np.float32))
    cpu = torch.device("cpu")
    looks = list(module._validation_batches([one], training, cpu))
    assert looks
    for batch in (*module._batches([one], training, cpu), *looks):
        side = architecture.output_size(batch.image.shape[-1])
        assert tile <= side < tile + architecture.multiple
        assert batch.classes.shape[1:] == batch.border.shape[1:] == (side, side)
        lost = (batch.image.shape[-1] - side) // 2
        seen = batch.image[:, 0, lost : lost + side, lost : lost + side]
        assert torch.equal((seen / 100).round().long(), batch.classes)
        assert torch.equal(batch.border, batch.classes.float())


@pytest.mark.parametrize("architecture", [PADDED, UNPADDED])
def test_what_was_learnt_stands_where_it_was_shown(architecture):
    """The classes of single pixels, learnt and predicted: an offset in either would be as good as guessing."""
    one = speckled()
    settings = replace(SMALL, architecture=architecture, steps=60, batch=4, rate=0.02)
    network = train([one], [], EVEN, settings).network
    scores = predict_image(network, one.image.read(one.image.window))
    assert np.mean((scores[0] > 0.5) == one.classes.read(one.image.window)[0]) > 0.9


def test_every_pixel_of_a_frame_is_shown():
    """By windows of 16 px that reach at most 4 px, a quarter, over its edges."""
    draw, shown = np.random.default_rng(0), np.zeros((48 + 8, 40 + 8), int)
    for _ in range(2000):
        y, x = module._draw_window(Window(4, 4, 48, 40), SMALL, draw).within(Window(-4, -4, 0, 0)).slices
        shown[y, x] += 1
    assert shown.sum() == 2000 * 16 * 16  # none reaches further
    assert shown[4:-4, 4:-4].min() > 0
    assert all(edge.any() for edge in (shown[0], shown[-1], shown[:, 0], shown[:, -1]))


def test_images_are_normalised_by_the_statistics_of_their_acquisition():
    one = replace(speckled(), statistics=[Statistics(-10, 10, 0, 0, 0, 0)])
    (look, *_) = module._validation_batches([one], SMALL, torch.device("cpu"))
    assert set(look.image.unique().tolist()) == set(np.float32([0.5, 0.55]).tolist())


def test_a_look_is_at_no_more_than_32_windows_spread_over_all_frames():
    frames = [frame(np.full((64, 64), n, np.float32), np.zeros((64, 64), int)) for n in range(5)]
    looks = list(module._validation_batches(frames, SMALL, torch.device("cpu")))
    assert len(looks) <= 32
    assert {look.image.unique().item() for look in looks} == set(range(5))


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_and_planes_of_a_stack(channels):
    """All t and z planes of a stack, each with its channels, as the task hands them over."""
    random = np.random.default_rng(0)
    stack, truth = random.random((3, channels, 20, 24), np.float32), random.integers(0, 2, (3, 20, 24)).astype(np.uint8)
    layers = planes(stack, "zcyx", range(channels)), planes(truth, "zyx"), planes(truth.astype(np.float32), "zyx")
    frames = [Frame(*plane, AS_IS * channels) for plane in zip(*layers, strict=True)]
    settings = replace(SMALL, architecture=replace(PADDED, in_channels=channels))
    assert len(train(frames, frames[:1], EVEN, settings).history) == 6


# How it goes


@pytest.mark.parametrize(
    "architecture",
    [PADDED, UNPADDED, replace(PADDED, depth=2), replace(UNPADDED, depth=2, dropout=0.1)],
)
@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_a_small_problem_is_learnt(architecture, optimiser):
    rate, momentum = (0.02, 0.99) if optimiser == "adam" else (0.1, 0.9)
    wider = replace(architecture, base=8)  # with 4 channels and no norm, all may die at the start
    settings = replace(SMALL, architecture=wider, optimiser=optimiser, steps=40, rate=rate, momentum=momentum)
    y, x = np.mgrid[:40, :40]
    discs = ((y % 20 - 10) ** 2 + (x % 20 - 10) ** 2 < 30).astype(int)
    trained = train([frame(discs.astype(np.float32), discs)], [], EVEN, settings)
    assert np.mean(losses(trained)[-5:]) < 0.5 * losses(trained)[0]


def test_the_best_network_by_validation_is_kept():
    """Validated on the opposite of what it learns, a network is best before it has learnt it."""
    lessons, opposite = speckled(), speckled()
    opposite = replace(opposite, classes=Plane(1 - opposite.classes.array, ((),)))
    settings = replace(SMALL, steps=30, rate=0.02, elastic=0)
    trained = train([lessons], [opposite], EVEN, settings)
    looked = {step.step: step.validation_loss for step in trained.history if step.validation_loss is not None}
    assert list(looked) == list(range(2, 31, 2))
    assert trained.best == min(looked, key=looked.get) < 30
    assert not trained.network.training
    looks = list(module._validation_batches([opposite], settings, torch.device("cpu")))
    assert module._look(trained.network, looks, torch.tensor(EVEN)) == pytest.approx(looked[trained.best], rel=1e-6)


def test_where_nothing_validates_the_last_network_is_kept():
    trained = train([speckled()], [], EVEN, SMALL)
    assert (trained.best, len(trained.history)) == (6, 6)
    assert all(step.validation_loss is None for step in trained.history)


def test_a_perfect_validation_is_not_beaten_by_a_worse_one(monkeypatch):
    found = iter([0.5, 0.0, 0.2])
    monkeypatch.setattr(module, "_look", lambda *_: next(found))
    assert train([speckled()], [speckled()], EVEN, SMALL).best == 4


def test_there_is_a_look_after_the_last_step():
    trained = train([speckled()], [speckled()], EVEN, replace(SMALL, steps=5, validate_every=100))
    assert [step.validation_loss is None for step in trained.history] == [True] * 4 + [False]


def test_the_rate_rises_to_its_peak_and_falls_to_nothing():
    rates = [step.rate for step in train([speckled(20, 20)], [], EVEN, replace(SMALL, batch=1, steps=100)).history]
    assert rates[:5] == pytest.approx([0.002, 0.004, 0.006, 0.008, 0.01])
    assert all(later < sooner for sooner, later in itertools.pairwise(rates[5:]))
    assert rates[52] == pytest.approx(0.005, rel=0.05)
    assert rates[-1] < 1e-5


def test_each_step_is_told():
    told = []
    trained = train([speckled()], [], EVEN, SMALL, lambda *words: told.append(words))
    assert told == [(step.step, 6, f"loss {step.loss:.3f}") for step in trained.history]


def test_the_history_is_plain():
    assert plain_history([Step(1, 0.5, 0.1)]) == [{"step": 1, "loss": 0.5, "rate": 0.1, "validation_loss": None}]


# What cannot go on


def test_no_frame_is_refused():
    with pytest.raises(ValueError, match="at least one frame with truth, got none; draw labels or add a truth folder"):
        train([], [speckled()], EVEN, SMALL)


@pytest.mark.parametrize(("steps", "says"), [(6, "the loss must stay finite"), (1, "the validation loss must stay")])
def test_a_loss_that_is_no_longer_finite_ends_the_training(steps, says):
    wild = replace(SMALL, architecture=UNPADDED, optimiser="sgd", rate=1e30, steps=steps, validate_every=100)
    with pytest.raises(ValueError, match=says + r".* at step \d; try a lower train\.rate"):
        train([speckled()], [speckled()], EVEN, wild)


def test_a_missing_gpu_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device=cuda must find a GPU"):
        train([speckled()], [], EVEN, replace(SMALL, device="cuda"))


def test_pixels_that_are_not_finite_do_not_spoil_it():
    one = speckled()
    one.image.array[3, 4] = math.nan
    assert all(map(math.isfinite, losses(train([one], [], EVEN, SMALL))))
