"""Memory that is kept from pass to pass: the same for the next, another for one beside it, and never a wrong score."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from unet.network.block_forward import class_scores
from unet.network.inference import ready_to_predict
from unet.network.map_memory import MapMemory
from unet.network.unet import UNet
from unet.settings.architecture import Architecture

SMALL = Architecture(base=4, depth=2, padding="same")
IMAGE = torch.zeros(1, 1, 64, 64)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return ready_to_predict(UNet(SMALL).eval(), torch.device("cpu"))


def address(memory, image=IMAGE):
    with memory.maps(SMALL, image) as make:
        return make("skip 0", (len(image), 4, 64, 64), image).data_ptr()


def test_the_next_pass_takes_what_was_given_back_and_a_smaller_one_too():
    memory = MapMemory()
    first = address(memory)
    assert address(memory, IMAGE[..., :32, :32]) == first == address(memory)
    assert len(memory.free) == 1


def test_a_larger_pass_takes_new_memory_and_keeps_no_two():
    memory = MapMemory()
    address(memory)
    address(memory, torch.zeros(3, 1, 64, 64))
    assert [len(kept) for kept in memory.free] == [3 * len(_whole())]


def _whole():
    memory = MapMemory()
    address(memory)
    return memory.free[0]


def test_maps_are_channels_last_and_what_has_no_place_is_new():
    memory = MapMemory()
    with memory.maps(SMALL, IMAGE) as make:
        placed, free = make("skip 1", (1, 8, 32, 32), IMAGE), make("up 0", (1, 2, 64, 64), IMAGE)
        assert placed.is_contiguous(memory_format=torch.channels_last)
        assert free.is_contiguous(memory_format=torch.channels_last)
        assert free.untyped_storage().data_ptr() != placed.untyped_storage().data_ptr()


def test_a_pass_that_fails_gives_its_memory_back():
    memory = MapMemory()
    with pytest.raises(ZeroDivisionError), memory.maps(SMALL, IMAGE):
        _ = 1 / 0
    assert len(memory.free) == 1


def test_scores_are_the_same_in_memory_that_holds_another_passs_maps(network):
    memory, images = MapMemory(), [torch.rand(1, 1, 96, 96) for _ in range(4)]
    alone = [class_scores(network, image, 16) for image in images]
    kept = [class_scores(network, image, 16, memory=memory) for image in images]
    for one, other in zip(alone, kept, strict=True):
        np.testing.assert_array_equal(one, other)


def test_passes_at_the_same_time_do_not_write_in_each_others_maps(network):
    memory, images = MapMemory(), [torch.rand(1, 1, 96, 96) for _ in range(24)]
    alone = [class_scores(network, image, 16) for image in images]
    with ThreadPoolExecutor(4) as pool:
        beside = list(pool.map(lambda image: class_scores(network, image, 16, memory=memory), images))
    for one, other in zip(alone, beside, strict=True):
        np.testing.assert_array_equal(one, other)
