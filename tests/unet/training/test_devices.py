"""Two processes on the CPU learn what one does from the same batches; what they say and raise arrives here."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from torch.multiprocessing.spawn import ProcessRaisedException

from unet.dataset.folder import Folder
from unet.images.channel_statistics import Statistics
from unet.images.planes import Plane
from unet.settings.architecture import Architecture
from unet.settings.augmentation import Augmentation
from unet.settings.train import Training
from unet.training.checkpoints import Checkpoints
from unet.training.devices import on_devices, precision_on
from unet.training.samples import TrainingPlane
from unet.training.train import train

TRAINING = Training(
    architecture=Architecture(base=4, depth=1),
    augmentation=replace(Augmentation.none(), elastic=2.0, noise=0.05),
    **{
        "tile_size": 16,
        "batch_size": 4,
        "steps": 6,
        "validate_every": 3,
        "checkpoint_every": 4,
        "learning_rate": 0.01,
        "precision": "float32",
        "device": "cpu",
    },
)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def speckled(seed):
    random = np.random.default_rng(seed)
    classes = random.integers(0, 2, (40, 40)).astype(np.uint8)
    layers = classes.astype(np.float32), classes, random.random((40, 40), np.float32)
    return TrainingPlane(*(Plane(layer, ((),)) for layer in layers), [Statistics(0, 1, 0, 1, 0, 0)], f"plane {seed}")


def report(fabric, progress):
    """Its rank, how many there are, the sum over them and its threads: as an answer, and as progress."""
    total = int(fabric.all_reduce(torch.tensor(fabric.global_rank + 1.0), reduce_op="sum"))
    said = f"{fabric.global_rank} of {fabric.world_size}, sum {total}, {torch.get_num_threads()} thread"
    progress(fabric.global_rank, fabric.world_size, said)
    return said.encode()


def fail(failing, kind, fabric, progress):
    """All report; then one process fails, and the other waits for it."""
    report(fabric, progress)
    if fabric.global_rank == failing:
        raise kind(f"process {failing} must see finite pixels")
    fabric.barrier()
    return b""


def test_one_process_answers_and_is_heard():
    heard = []
    answer = on_devices(TRAINING, report, lambda *words: heard.append(words))
    assert answer == b"0 of 1, sum 1, 1 thread"
    assert heard == [(0, 1, answer.decode())]


@pytest.mark.parametrize(("devices", "failing"), [(1, 0), (2, 1)])
def test_what_a_process_raises_is_raised_here_and_the_first_is_heard(devices, failing):
    """Though the other one is waiting for it."""
    heard = []
    with pytest.raises(ValueError, match=rf"^process {failing} must see finite pixels$"):
        on_devices(
            replace(TRAINING, devices=devices), partial(fail, failing, ValueError), lambda *words: heard.append(words)
        )
    assert heard == [(0, devices, f"0 of {devices}, sum {sum(range(devices + 1))}, 1 thread")]


def test_a_fault_of_our_own_is_raised_with_its_trace():
    with pytest.raises(ProcessRaisedException, match="ZeroDivisionError: process 0 must see finite pixels"):
        on_devices(replace(TRAINING, devices=2), partial(fail, 0, ZeroDivisionError), lambda *_: None)


def test_two_processes_have_the_losses_of_one_with_the_doubled_batch(tmp_path):
    """Each takes two of four samples; the network is unpadded, without norm and dropout."""
    parts, weights, told = ([speckled(0), speckled(1)], [speckled(2)]), [0.5, 2.0], []
    one = train(*parts, weights, TRAINING)
    checkpoints = Checkpoints(Folder(str(tmp_path)))
    two = train(*parts, weights, replace(TRAINING, devices=2), lambda *words: told.append(words), checkpoints)
    for found, expected in zip(two.history, one.history, strict=True):
        assert found.loss == pytest.approx(expected.loss, abs=1e-5)
        assert found.validation_loss == (expected.validation_loss and pytest.approx(expected.validation_loss, abs=1e-5))
    for found, expected in zip(two.network.parameters(), one.network.parameters(), strict=True):
        assert torch.allclose(found, expected, atol=1e-4)
    assert two.best == one.best
    assert [done for done, *_ in told] == list(range(1, 7))
    assert checkpoints.last(TRAINING.architecture).step == 6


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, "float32"),
        ({"avx2": True, "avx512_f": True, "avx512_vnni": True, "avx512_bf16": False, "amx_bf16": False}, "float32"),
        ({"avx2": True, "avx512_f": True, "avx512_bf16": True}, "bf16"),
        ({"amx_bf16": True}, "bf16"),
        ({"bf16": True, "architecture": "aarch64"}, "bf16"),
    ],
)
def test_a_cpu_trains_in_bf16_where_it_has_its_arithmetic(flags, expected, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags, raising=False)
    assert precision_on(torch.device("cpu"), "auto") == expected
    assert [precision_on(torch.device("cpu"), asked) for asked in ("float32", "bf16")] == ["float32", "bf16"]


def test_a_batch_is_shared_evenly():
    with pytest.raises(ValueError, match="batch_size must be a multiple of devices, got 4 samples for 3"):
        replace(TRAINING, devices=3)


ENDLESS = """
import signal, sys, time
import torch
from unet.training.devices import on_devices, precision_on
from unet.settings.train import Training

def work(fabric, progress):
    while True:
        fabric.all_reduce(torch.ones(1))
        progress(0, 1, "")
        time.sleep(0.02)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does that puts it into the background
    on_devices(Training(device="cpu", devices=2), work, lambda *_: print("at work", flush=True))
"""


def test_processes_end_with_the_one_that_started_them(tmp_path):
    (tmp_path / "endless.py").write_text(ENDLESS)
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    parent = subprocess.Popen([sys.executable, tmp_path / "endless.py"], stdout=subprocess.PIPE, env=environment)
    try:
        assert parent.stdout.readline() == b"at work\n"
        children = psutil.Process(parent.pid).children()
        assert len(children) >= 2
    finally:
        parent.kill()
        parent.communicate()
    _, alive = psutil.wait_procs(children, timeout=20)
    for child in alive:
        child.kill()
    assert alive == []
