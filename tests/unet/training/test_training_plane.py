"""Two arrays in memory are what training learns from: the same as the stage makes of them."""

import numpy as np
import pytest
import torch

import unet
from unet.images.synthetic import draw_stack
from unet.training.training_plane import class_weights_of, training_plane
from unet.weight_maps.border_weights import weigh_block


def test_a_plane_is_weighed_as_the_stage_weighs():
    image, truth = draw_stack(planes=1, side=64, seed=1)
    plane = training_plane(image[0], truth[0], ignore=1)
    classes, border = weigh_block(truth[0], unet.Weigh(), ignore=1)
    np.testing.assert_array_equal(plane.classes.read(plane.classes.window)[0], classes)
    np.testing.assert_array_equal(plane.border.read(plane.border.window)[0], border)
    judged = classes[classes != 255]
    balance = class_weights_of([plane], balance=1)
    assert sum(balance[c] for c in judged) == pytest.approx(judged.size)
    assert balance[0] * (judged == 0).sum() == pytest.approx(balance[1] * (judged == 1).sum())


def test_channels_stay_apart():
    image, truth = (pixels.astype(int) for pixels in draw_stack(planes=1, side=64, seed=1))
    plane = training_plane(np.stack([image[0], image[0] // 2]), truth[0])
    assert plane.image.read(plane.image.window).shape == (2, 64, 64)
    assert [found.high // 2 for found in plane.statistics[:1]] == [found.high for found in plane.statistics[1:]]


def test_labels_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"must have the y x of image \(3, 4\), got \(4, 3\)"):
        training_plane(np.zeros((3, 4)), np.zeros((4, 3), int))


def test_a_network_is_trained_and_finds_the_objects_in_a_notebooks_few_lines():
    """From arrays to segments with public names alone."""
    torch.set_num_threads(1)
    image, truth = draw_stack(planes=2, side=64, seed=3)
    planes = [unet.training_plane(*pair) for pair in zip(image, truth, strict=True)]
    small = unet.Architecture(base=4, depth=1, padding="same", norm="batch")
    how = unet.Training(small, steps=60, tile_size=64, device="cpu")
    network = unet.train(planes, [], unet.class_weights_of(planes), how).network
    scores = unet.predict_image(network, unet.normalise_image(image[0]))
    assert unet.metrics.iou(truth[0], unet.connected_segments(scores[0] > 0.5)) > 0.5
