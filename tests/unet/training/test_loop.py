"""A training's course: the best is kept, what was killed goes on to the same bits, what runs wild is stopped."""

import itertools
import logging
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from tests.unet.training.test_samples import plane
from unet.dataset.folder import Folder
from unet.images.channel_statistics import Statistics
from unet.images.planes import Plane
from unet.network.unet import UNet
from unet.settings.architecture import Architecture
from unet.settings.augmentation import Augmentation
from unet.settings.train import Training
from unet.training import loop
from unet.training.checkpoints import Checkpoints
from unet.training.loop import TrainingJob, start_loop
from unet.training.loss import total_loss
from unet.training.samples import TrainingPlane, batches, validation_batches
from unet.training.train import train

PADDED = Architecture(base=4, depth=1, padding="same", norm="batch", dropout=0.2)
UNPADDED = Architecture(base=4, depth=1)
SMALL = Training(
    architecture=PADDED,
    tile_size=16,
    batch_size=2,
    steps=6,
    validate_every=2,
    checkpoint_every=2,
    learning_rate=0.01,
    averaging=0,
    dice_weight=0,
    precision="float32",
    device="cpu",
)
EVEN = [1.0, 1.0]
CPU = torch.device("cpu")
FIRST_GOOD = 3
"""A seed with which the last of four planes is first drawn after the first checkpoint."""


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def speckled(seed=0, name="a", opposite=False):
    classes = np.random.default_rng(seed).integers(0, 2, (40, 40)).astype(np.uint8)
    layers = classes.astype(np.float32), 1 - classes if opposite else classes, np.zeros((40, 40), np.float32)
    return TrainingPlane(*(Plane(layer, ((),)) for layer in layers), [Statistics(0, 1, 0, 1, 0, 0)], name)


def parameters(trained):
    return torch.cat([values.double().flatten() for values in trained.network.state_dict().values()])


def losses(trained):
    return [step.loss for step in trained.history]


# Best by validation, and when to end


def test_the_best_network_by_validation_is_kept():
    """Validated on the opposite of what it learns, a network is best before it has learnt it."""
    settings = replace(SMALL, steps=30, learning_rate=0.02, augmentation=Augmentation.none())
    opposite = speckled(opposite=True)
    trained = train([speckled()], [opposite], EVEN, settings)
    looked = {step.step: step.validation_loss for step in trained.history if step.validation_loss is not None}
    assert list(looked) == list(range(2, 31, 2))
    assert trained.best == min(looked, key=looked.get) < 30
    assert not trained.network.training
    with torch.inference_mode():
        again = [
            total_loss(trained.network(b.image), b, torch.tensor(EVEN)).item()
            for b in validation_batches([opposite], settings, CPU)
        ]
    assert np.mean(again) == pytest.approx(looked[trained.best], rel=1e-6)


def test_where_nothing_validates_the_last_network_is_kept():
    trained = train([speckled()], [], EVEN, replace(SMALL, patience=1))
    assert (trained.best, len(trained.history)) == (6, 6)
    assert all(step.validation_loss is None for step in trained.history)


@pytest.mark.parametrize(
    ("found", "patience", "steps", "best"),
    [
        ([0.5, 0.0, 0.2], 0, 6, 4),  # a perfect one is not beaten
        ([0.5, 0.6, 0.4, 0.5, 0.5, 0.1], 2, 10, 6),
        ([0.5, 0.5, 0.4], 1, 4, 2),  # one as good is not better
        ([0.5, 0.6, 0.7, 0.1], 3, 8, 8),
    ],
)
def test_training_ends_after_so_many_looks_without_a_better_one(monkeypatch, found, patience, steps, best):
    left = iter(found)
    monkeypatch.setattr(loop, "_looked_at", lambda *_: (next(left), ()))
    trained = train([speckled()], [speckled()], EVEN, replace(SMALL, steps=2 * len(found), patience=patience))
    assert (len(trained.history), trained.best) == (steps, best)


def test_there_is_a_look_after_the_last_step():
    trained = train([speckled()], [speckled()], EVEN, replace(SMALL, steps=5, validate_every=100))
    assert [step.validation_loss is None for step in trained.history] == [True] * 4 + [False]


# A step


def test_a_step_as_a_plain_loop():
    """Clipped, with momentum and Dice: the same parameters as a loop written without Fabric."""
    settings = replace(
        SMALL,
        architecture=UNPADDED,
        optimiser="sgd",
        momentum=0.9,
        weight_decay=0,
        learning_rate=0.1,
        gradient_clip=0.3,
        dice_weight=0.5,
        steps=4,
    )
    trained = train([speckled()], [], [0.5, 2.0], settings)
    torch.manual_seed(settings.seed)
    network = UNet(UNPADDED).to(memory_format=torch.channels_last)
    velocity = [torch.zeros_like(p) for p in network.parameters()]
    for number, batch in enumerate(batches([speckled()], settings, CPU), start=1):
        loss = total_loss(network(batch.image), batch, torch.tensor([0.5, 2.0]), 0.5)
        gradient = torch.autograd.grad(loss, list(network.parameters()))
        norm = math.sqrt(sum(g.double().square().sum().item() for g in gradient))
        for parameter, v, g in zip(network.parameters(), velocity, gradient, strict=True):
            v.mul_(0.9).add_(g * min(1, 0.3 / norm))
            parameter.data.sub_(loop.rate_at(number, settings.steps, settings.learning_rate) * v)
    expected = torch.cat([p.double().flatten() for p in network.state_dict().values()])
    assert torch.allclose(parameters(trained), expected, atol=1e-5)


def test_each_step_has_the_rate_of_its_number():
    assert [step.rate for step in train([speckled()], [], EVEN, SMALL).history] == [
        loop.rate_at(step, SMALL.steps, SMALL.learning_rate) for step in range(1, 7)
    ]


def test_what_is_kept_is_the_running_average_of_the_steps():
    """Of the steps so far the average has 9/10 at the most, and less at first: 1/10 after one step, 2/11 after two."""
    plain = replace(SMALL, architecture=UNPADDED, steps=3, learning_rate=0.1)
    after = [state.parameters for state in states_of(plain)]
    expected = after[0]
    for taken, now in enumerate(after[1:], start=1):
        share = min(0.9, (1 + taken) / (10 + taken))
        expected = {name: share * expected[name] + (1 - share) * now[name] for name in now}
    averaged = train([speckled()], [], EVEN, replace(plain, averaging=0.9)).network.state_dict()
    assert all(torch.allclose(averaged[name], values, atol=1e-6) for name, values in expected.items())


def states_of(settings):
    """The state after each step."""
    saved = []

    class Kept(Checkpoints):
        def save(self, state):
            saved.append(state)

    train([speckled()], [], EVEN, replace(settings, checkpoint_every=1), checkpoints=Kept(Folder("memory://none")))
    return saved


# Minutes


def clock_of(monkeypatch, seconds):
    """A clock that goes on by so many seconds at each look."""
    ticks = itertools.count()
    monkeypatch.setattr(loop, "monotonic", lambda: seconds * next(ticks))


@pytest.mark.parametrize(("minutes", "steps"), [(0.4, 24), (0.5, 30), (0.1, 20), (1, 40), (0, 40)])
def test_minutes_become_steps_by_the_speed_of_the_first(monkeypatch, minutes, steps):
    """At a second a step; those that were timed are made in any case, and never more than were asked for."""
    clock_of(monkeypatch, 1.0)
    trained = train([speckled()], [], EVEN, replace(SMALL, steps=40, minutes=minutes))
    assert len(trained.history) == steps
    assert steps == loop.TIMED or trained.history[-1].rate == loop.rate_at(steps, steps, SMALL.learning_rate)


def test_one_stall_among_the_first_steps_does_not_end_the_training(monkeypatch):
    """Another program holds the machine for an hour at the tenth step; all others take a second."""
    ticks = itertools.count()
    monkeypatch.setattr(loop, "monotonic", lambda: (tick := next(ticks)) + 3600.0 * (tick >= 10))
    assert len(train([speckled()], [], EVEN, replace(SMALL, steps=40, minutes=0.5)).history) == 30


def test_a_training_goes_on_to_the_steps_that_its_minutes_once_became(monkeypatch, tmp_path):
    clock_of(monkeypatch, 1.0)
    settings, checkpoints = replace(SMALL, steps=60, minutes=0.5), Checkpoints(Folder(str(tmp_path)))
    undisturbed = train([speckled()], [], EVEN, settings)

    def kill(done, total, word):
        if done == 25:
            raise KilledError

    with pytest.raises(KilledError):
        train([speckled()], [], EVEN, settings, kill, checkpoints)
    clock_of(monkeypatch, 100.0)  # a slower machine
    went_on = train([speckled()], [], EVEN, settings, checkpoints=checkpoints)
    assert len(went_on.history) == len(undisturbed.history) == 30
    assert torch.equal(parameters(went_on), parameters(undisturbed))


def test_training_leaves_random_numbers_and_switches_to_others():
    switch = torch.backends.cudnn.benchmark
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train([speckled()], [], EVEN, SMALL)
    assert torch.equal(torch.rand(3), expected)
    assert torch.backends.cudnn.benchmark == switch


def test_bfloat16_learns_what_float32_learns():
    """Losses within 3 % at the start, and within a tenth while the parameters drift apart."""
    wide = replace(SMALL, architecture=replace(PADDED, base=16, dropout=0.0), steps=20)
    exact, short = (losses(train([speckled()], [], EVEN, replace(wide, precision=p))) for p in ("float32", "bf16"))
    assert short[0] == pytest.approx(exact[0], rel=0.03)
    assert short != exact
    assert np.mean(short[-5:]) == pytest.approx(np.mean(exact[-5:]), rel=0.1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own, on newer Pythons
def test_a_compiled_network_learns_what_it_would_have_learnt():
    settings = replace(SMALL, architecture=replace(PADDED, dropout=0.0))  # compiled, it draws other numbers
    plain, compiled = (losses(train([speckled()], [], EVEN, replace(settings, compile=c))) for c in (False, True))
    assert compiled == pytest.approx(plain, rel=1e-3)


# Going on


class KilledError(Exception):
    pass


@pytest.mark.parametrize("killed", range(1, 8))
@pytest.mark.parametrize(("optimiser", "averaging"), [("adamw", 0.9), ("sgd", 0.0)])
def test_a_training_killed_at_any_step_ends_as_an_undisturbed_one(tmp_path, killed, optimiser, averaging):
    settings = replace(SMALL, optimiser=optimiser, averaging=averaging, momentum=0.9, steps=7, validate_every=3)
    checkpoints = Checkpoints(Folder(str(tmp_path / "checkpoints")))

    def kill(done, total, word):
        if done == killed:
            raise KilledError

    with pytest.raises(KilledError):
        train([speckled()], [speckled(1)], EVEN, settings, kill, checkpoints)
    told = []
    went_on = train([speckled()], [speckled(1)], EVEN, settings, lambda done, *_: told.append(done), checkpoints)
    assert told == list(range((killed - 1) // 2 * 2 + 1, 8))  # a step is told before its checkpoint is put
    undisturbed = train([speckled()], [speckled(1)], EVEN, settings)
    assert torch.equal(parameters(went_on), parameters(undisturbed))
    assert (went_on.history, went_on.best) == (undisturbed.history, undisturbed.best)


def test_a_training_that_is_over_makes_no_step_more(tmp_path, caplog):
    checkpoints = Checkpoints(Folder(str(tmp_path)))
    first = train([speckled()], [speckled(1)], EVEN, replace(SMALL, steps=5), checkpoints=checkpoints)
    with caplog.at_level(logging.INFO, "unet"):
        again = train(
            [speckled()], [speckled(1)], EVEN, replace(SMALL, steps=5), lambda *_: pytest.fail("a step"), checkpoints
        )
    assert "going on from step 5" in caplog.text
    assert torch.equal(parameters(first), parameters(again))


def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before(tmp_path, caplog):
    settings, checkpoints = replace(SMALL, steps=9), Checkpoints(Folder(str(tmp_path)))
    undisturbed = train([speckled()], [], EVEN, settings, checkpoints=checkpoints)
    newest = sorted(tmp_path.iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:-100])
    told = []
    again = train([speckled()], [], EVEN, settings, lambda done, *_: told.append(done), checkpoints)
    assert told == [9]
    assert f"{newest} is skipped: a checkpoint must have the digest in its name" in caplog.text
    assert torch.equal(parameters(again), parameters(undisturbed))


def test_parameters_to_start_from_are_those_of_the_first_step():
    taught = train(
        [speckled()], [], EVEN, replace(SMALL, steps=60, learning_rate=0.02, augmentation=Augmentation.none())
    )
    settings = replace(SMALL, steps=1, augmentation=Augmentation.none())
    bare, fine = (
        losses(train([speckled()], [], EVEN, settings, start=start))[0] for start in (None, taught.network.state_dict())
    )
    assert fine < 0.5 * bare


# What cannot go on


@pytest.mark.parametrize(("steps", "says"), [(6, "the loss"), (1, "the validation loss")])
def test_a_loss_that_runs_wild_ends_the_training(steps, says):
    wild = replace(
        SMALL,
        architecture=UNPADDED,
        optimiser="sgd",
        learning_rate=1e30,
        steps=steps,
        validate_every=100,
        gradient_clip=0,
    )
    with pytest.raises(
        ValueError,
        match=says + r" must stay finite and below .* at step \d on a; try a lower train\.learning_rate, and",
    ):
        train([speckled()], [speckled()], EVEN, wild)


def test_a_loss_that_is_no_number_is_told_with_its_samples_and_the_last_checkpoint(tmp_path):
    """A border weight that is not finite, in one plane of four."""
    bad = speckled(1, "b plane 7")
    bad.border.array[:] = math.nan
    checkpoints, settings = Checkpoints(Folder(str(tmp_path))), replace(SMALL, batch_size=1, steps=200, seed=FIRST_GOOD)
    with pytest.raises(ValueError, match=r"got nan at step \d+ on b plane 7;") as caught:
        train([speckled(), speckled(), speckled(), bad], [], EVEN, settings, checkpoints=checkpoints)
    step = int(re.search(r"step (\d+)", str(caught.value))[1])
    good = checkpoints.last(PADDED)
    assert good.step == (step - 1) // 2 * 2
    assert f"the last good checkpoint is {checkpoints.newest}" in str(caught.value)
    assert all(values.isfinite().all() for values in good.parameters.values())


def test_a_loss_that_grows_without_end_is_told():
    """A border weight of ten million: finite, and still a loss that nothing comes back from."""
    bad = speckled(1, "b")
    bad.border.array[:] = 1e7
    with pytest.raises(ValueError, match=r"the loss must stay finite and below [\d.]+, got .*e\+.* at step \d+ on b;"):
        train(
            [speckled(), speckled(), speckled(), bad],
            [],
            EVEN,
            replace(SMALL, batch_size=1, steps=200, seed=FIRST_GOOD),
        )


def test_dice_of_each_class_is_told_where_there_are_several():
    classes = np.random.default_rng(0).integers(0, 3, (40, 40))
    one = plane(classes.astype(np.float32), classes)
    several = replace(SMALL, architecture=replace(SMALL.architecture, classes=3), steps=4, validate_every=2)
    found = [step.validation_dice for step in train([one], [one], [1.0] * 3, several).history]
    assert [len(dice) for dice in found] == [0, 2, 0, 2]
    assert all(0 <= value <= 1 for dice in found for value in dice)
    assert {step.validation_dice for step in train([speckled()], [speckled()], EVEN, SMALL).history} == {()}


def test_what_is_not_among_the_parameters_to_begin_from_is_drawn():
    """As the network would be that begins from none."""
    job = TrainingJob([speckled()], [], EVEN, SMALL)
    bare = UNet(SMALL.architecture).state_dict()
    body = {name: torch.ones_like(values) for name, values in bare.items() if not name.startswith("head.")}
    fabric = Fabric(accelerator="cpu", devices=1)
    drawn, begun = (start_loop(each, fabric, lambda *_: None) for each in (job, replace(job, start=body)))
    for name, values in begun.network.state_dict().items():
        assert torch.equal(values, body.get(name, drawn.network.state_dict()[name]))
