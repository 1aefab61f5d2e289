"""Processes that do a stage and are killed: forked from one that imported everything once, held where a test says."""

import multiprocessing
from contextlib import contextmanager
from threading import Lock

import torch

from tasks import evaluate, ingest, predict, segment, train, weigh  # noqa: F401  # once for all of them
from tests.conftest import run_stage, shrink_shards
from unet.dataset.folder import Dataset
from unet.store.arrays import Stored
from unet.training.loop import TrainingLoop

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])


@contextmanager
def child(work, *given):
    """A process at work, and what it is told by and tells; whatever is left of it is killed."""
    here, there = FORKS.Pipe()
    process = FORKS.Process(target=work, args=(*given, there))
    process.start()
    there.close()  # or one that died would be waited for
    try:
        yield process, here
    finally:
        process.kill()
        process.join()
        here.close()


def hold(method, count, pipe):
    """The method, which says so at its last call of so many, and then waits to be killed, whoever called it."""
    left, one_at_a_time = list(range(count)), Lock()

    def held(self, *given):
        method(self, *given)
        with one_at_a_time:
            left.pop()
            if not left:
                pipe.send("there")
                pipe.recv()

    return held


def stage_until(writes, url, stage, pipe):
    """One stack's stage, up to so many shards."""
    torch.set_num_threads(1)
    shrink_shards(16)
    Stored.write = hold(Stored.write, writes, pipe)
    run_stage(Dataset(url), stage, only=["a"])


def training_until(steps, url, pipe):
    """A training, up to so many steps."""
    torch.set_num_threads(1)
    TrainingLoop.advance = hold(TrainingLoop.advance, steps, pipe)
    run_stage(Dataset(url), "train")


def stage_when_told(url, stage, pipe):
    """One stack's stage, once something is said."""
    torch.set_num_threads(1)
    shrink_shards(16)
    pipe.send("ready")
    pipe.recv()
    run_stage(Dataset(url), stage, only=["a"])
