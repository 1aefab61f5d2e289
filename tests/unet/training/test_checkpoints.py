"""Checkpoints: what was put is what is read, bit for bit; what is damaged or foreign is skipped, and never run."""

import csv
import hashlib
import io
import os
import pickle
from dataclasses import replace

import pytest
import torch

from unet.dataset.folder import Folder
from unet.network.unet import UNet
from unet.settings.architecture import Architecture
from unet.training.checkpoints import (
    Checkpoints,
    CheckpointState,
    Step,
    from_bytes,
    history_csv,
    plain_history,
    to_bytes,
)

SMALL = Architecture(base=2, depth=1)


def state(steps=3, architecture=SMALL, optimiser=torch.optim.Adam):
    """A state whose optimiser has moved."""
    torch.manual_seed(steps)
    network = UNet(architecture)
    moving = optimiser(network.parameters(), 0.01)
    network(torch.ones(1, 1, 20, 20)).sum().backward()
    moving.step()
    history = [Step(n, 1 / 3**n, 1e-3, 0.1 if n == 1 else None) for n in range(1, steps + 1)]
    parameters = network.state_dict()
    return CheckpointState(architecture, parameters, moving.state_dict(), 1, {"kept": torch.ones(2)}, tuple(history))


def tensors(found):
    moments = [v for one in found.optimiser["state"].values() for v in one.values() if v is not None]
    return [*found.parameters.values(), *found.kept.values(), *moments]


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(Folder(str(tmp_path / "checkpoints")))


def put(checkpoints, step, content):
    """A file whose name says that it is whole."""
    name = hashlib.blake2b(content, digest_size=6).hexdigest()
    (checkpoints.folder / f"{step:08d}-{name}.pt").write(content)


@pytest.mark.parametrize(
    "optimiser", [torch.optim.Adam, lambda parameters, rate: torch.optim.SGD(parameters, rate, 0.9)]
)
def test_what_was_put_is_what_is_read(checkpoints, optimiser):
    made = state(optimiser=optimiser)
    checkpoints.save(made)
    found = checkpoints.last(SMALL)
    assert (found.step, found.best, found.history) == (3, 1, made.history)
    assert all(map(torch.equal, tensors(found), tensors(made)))
    assert len(tensors(found)) == len(tensors(made)) > len(made.parameters)
    assert found.optimiser["param_groups"] == made.optimiser["param_groups"]


def test_the_newest_two_are_kept_and_nothing_that_a_kill_left(checkpoints):
    assert checkpoints.last(SMALL) is None
    assert checkpoints.newest == ""
    (checkpoints.folder / ".00000001-0123456789ab.pt.beef").write(b"half")
    for steps in (2, 10, 3):
        checkpoints.save(state(steps))
    assert [name[:8] for name in checkpoints.folder.names()] == ["00000003", "00000010"]
    assert checkpoints.last(SMALL).step == 10
    assert checkpoints.newest.startswith(f"{checkpoints.folder.url}/00000010-")
    checkpoints.keep(1)
    assert [name[:8] for name in checkpoints.folder.names()] == ["00000010"]


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"", lambda b: b[:500] + bytes([b[500] ^ 1]) + b[501:]])
def test_a_damaged_one_is_skipped_for_the_one_before(checkpoints, damage, caplog):
    checkpoints.save(state(2))
    checkpoints.save(state(4))
    newest = checkpoints.folder / checkpoints.folder.names()[-1]
    newest.write(damage(newest.read()))
    assert checkpoints.last(SMALL).step == 2
    assert f"{newest.url} is skipped: a checkpoint must have the digest in its name, got a damaged file" in caplog.text


def test_one_of_another_network_is_skipped(checkpoints, caplog):
    checkpoints.save(state(2))
    assert checkpoints.last(replace(SMALL, base=4)) is None
    assert "a checkpoint must be of Architecture(in_channels=1, classes=2, base=4" in caplog.text


class Trap:
    """Unpickled, it leaves a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_a_pickle_is_not_run(checkpoints, tmp_path, caplog):
    checkpoints.save(state(2))
    trap = pickle.dumps({"architecture": Trap(tmp_path / "sprung")}, protocol=2)
    put(checkpoints, 9, trap)
    assert checkpoints.last(SMALL).step == 2
    assert "a checkpoint must hold tensors and plain values of a training, got" in caplog.text
    assert not (tmp_path / "sprung").exists()
    pickle.loads(trap)
    assert (tmp_path / "sprung").exists()  # it was a trap


@pytest.mark.parametrize("values", [{}, [1], {"history": [{"loss": 1}]}, {"history": [], "architecture": {"depth": 0}}])
def test_a_file_of_other_values_is_no_state(tmp_path, values):
    torch.save(values, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="must hold tensors and plain values of a training, got"):
        from_bytes((tmp_path / "other.pt").read_bytes())


def test_bytes_of_a_state_are_a_file_of_torchs():
    assert from_bytes(to_bytes(state())).step == 3


def test_the_history_is_plain():
    assert plain_history([Step(1, 0.5, 0.1)]) == [{"step": 1, "loss": 0.5, "rate": 0.1, "validation_loss": None}]


def test_dice_is_kept_where_it_is_and_told_by_name():
    history = (Step(1, 0.5, 0.1), Step(2, 0.4, 0.1, 0.3, (0.9, None)))
    state = from_bytes(to_bytes(CheckpointState(Architecture(), {}, {}, history=history)))
    assert state.history == history
    assert plain_history(history, ("a", "b"))[1]["validation_dice"] == {"a": 0.9, "b": None}
    assert "validation_dice" not in plain_history(history)[0]
    rows = list(csv.reader(io.StringIO(history_csv(history, ("a", "b, c")).decode())))
    assert rows[0][4:] == ["validation_dice_a", "validation_dice_b, c"]
    assert [row[4:] for row in rows[1:]] == [["", ""], ["0.9", ""]]
