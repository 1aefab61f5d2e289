"""The first promise: scores tile by tile are those of one pass over the whole image, mirrored at its edges."""

import itertools
from functools import lru_cache

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from tests.conftest import examples
from unet.images.planes import Plane
from unet.images.windows import Window
from unet.network.inference import Predictor, choose_device, predict_image, quantised, ready_to_predict
from unet.network.rounding import rounding
from unet.network.unet import UNet
from unet.settings.architecture import Architecture

few = examples(15)
FORMS = [
    ("valid", "none", "transposed"),
    ("same", "none", "transposed"),
    ("same", "batch", "transposed"),
    ("valid", "batch", "transposed"),
    ("same", "batch", "bilinear"),
]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@lru_cache
@torch.no_grad()
def network_of(depth, form, dtype=torch.float64):
    """A network in which every level is felt, and whose scores are far from 0 and 1."""
    torch.manual_seed(depth)
    network = UNet(Architecture(2, 3, 4, depth, *form)).double()
    for name, values in network.state_dict().items():
        if values.is_floating_point() and values.ndim == 1:
            values.uniform_(0.5, 1.5) if name.endswith("running_var") else values.add_(torch.rand_like(values) / 2)
    network.eval()
    side = network.architecture.input_size(1)
    network.head.weight /= network(torch.rand(1, 2, side, side, dtype=torch.float64)).std()
    return network.to(dtype)


@torch.no_grad()
def whole(network, image, turns=0, flip=False):
    """One pass over the whole image, mirrored by the context, and by what makes its size a legal one, behind.

    What is passed may be reflected along x and turned by quarters; the scores are turned back.
    """
    architecture = network.architecture
    context, multiple = architecture.context, 2**architecture.depth
    rest = -4 if architecture.padding == "valid" else 0
    behind = [context + (rest - n - 2 * context) % multiple for n in image.shape[1:]]
    padded = np.pad(image, [(0, 0), *((context, b) for b in behind)], mode="reflect")
    turned = np.rot90(padded[..., ::-1] if flip else padded, turns, (-2, -1)).copy()
    scores = network(torch.from_numpy(turned)[None]).softmax(dim=1)[0, 1:].numpy()
    scores = np.rot90(scores, -turns, (-2, -1))
    scores = scores[..., ::-1] if flip else scores
    first = context if architecture.padding == "same" else 0
    return scores[:, first : first + image.shape[1], first : first + image.shape[2]]


def predict_region(network, read, region, tile, **how):
    """Scores of one region, of what it reads."""
    like = next(network.parameters())
    predictor = Predictor(ready_to_predict(network, like.device, like.dtype), (tile, tile), 8, **how)
    around = predictor.reading(region)
    pixels = torch.from_numpy(read(around)).to(like.dtype)
    return predictor.predict(pixels[None], around, region).values[0].numpy()


def quantise(scores):
    return quantised(torch.from_numpy(np.ascontiguousarray(scores)), torch.uint8).numpy()


def image_of(shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).random((2, *shape)).astype(dtype)


@st.composite
def cases(draw, most=15):
    """Depth, padding and norm; an image of any size, down to 1 px; any size of tiles, at most so many along a side."""
    depth = draw(st.integers(1, 4))
    side = st.integers(1, [40, 40, 50, 60][depth - 1])
    shape = draw(st.tuples(side, side))
    return depth, draw(st.sampled_from(FORMS)), shape, draw(st.integers(max(4, -(-max(shape) // most)), 50))


@few
@given(cases())
def test_tiles_equal_the_whole(case):
    depth, form, shape, tile = case
    network, image = network_of(depth, form), image_of(shape)
    scores = predict_image(network, image, tile)
    assert (scores.dtype, scores.shape) == (np.float64, (2, *shape))
    np.testing.assert_allclose(scores, whole(network, image), rtol=0, atol=1e-10)


@few
@given(cases())
def test_tiles_equal_the_whole_in_single_precision_and_in_bytes(case):
    depth, form, shape, tile = case
    network, image = network_of(depth, form, torch.float32), image_of(shape, dtype=np.float32)
    scores, expected = predict_image(network, image, tile), whole(network, image)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)
    assert np.abs(quantise(scores).astype(int) - quantise(expected)).max() <= 1


HALVES = [torch.float16, torch.bfloat16]


@lru_cache
def most_between(depth, form, dtype):
    """What may lie between tiles and one pass in half precision: twice what it makes of one pass, which is its noise.

    Sums of another order may end on the other side of a rounding, half a step of the precision; at a deep level all
    pixels below it feel that, and round otherwise themselves. So the two differ as any two roundings do, and no more.
    """
    plane, plain = Plane(image_of((48, 48), dtype=np.float32), ((0,), (1,))), network_of(depth, form, torch.float32)
    exact, rounded = (scores_in_tiles(network, plane, 1024, 256) for network in (plain, rounding(plain, dtype)))
    noise = np.abs(exact - rounded).max() * 255
    assert 0.1 < noise < {torch.float16: 3, torch.bfloat16: 24}[dtype]
    return 2 * noise / 255


@examples(8)
@given(cases(most=3), st.sampled_from(HALVES))  # a CPU takes seconds for many small ones in half precision
@example((4, ("same", "batch", "transposed"), (39, 51), 17), torch.bfloat16)  # 5.8 steps, the noise being 8
def test_tiles_equal_the_whole_but_for_the_noise_of_half_precision(case, dtype):
    """By rounding, whose sums are torch's for float32, and of torch's own arithmetic."""
    depth, form, shape, tile = case
    image = image_of(shape, dtype=np.float32)
    plane = Plane(image, ((0,), (1,)))
    plain = network_of(depth, form, torch.float32)
    own = ready_to_predict(network_of(depth, form, torch.float32), torch.device("cpu"), dtype)
    for network in (rounding(plain, dtype), own):
        found = [scores_in_tiles(network, plane, *sizes) for sizes in ((1024, 256), (tile, 16))]
        assert np.abs(found[0] - found[1]).max() <= most_between(depth, form, dtype)


def scores_in_tiles(network, plane, tile, block):
    predictor = Predictor(network, (tile, tile), block, torch.float32)
    around = predictor.reading(plane.window)
    pixels = torch.from_numpy(plane.read(around))[None].to(network.head.weight.device)
    return predictor.predict(pixels, around, plane.window).values[0].cpu().numpy()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and this machine has none")
@few
@given(cases(most=3), st.sampled_from([torch.float32, *HALVES]))
def test_tiles_equal_the_whole_on_a_gpu(case, dtype):
    """In float32 to 1e-5 those of a CPU too; and what is computed again is the same, bit for bit."""
    depth, form, shape, tile = case
    image = image_of(shape, dtype=np.float32)
    plane, plain = Plane(image, ((0,), (1,))), network_of(depth, form, torch.float32)
    network = ready_to_predict(plain, torch.device("cuda"), dtype)
    found = [scores_in_tiles(network, plane, *sizes) for sizes in ((1024, 256), (tile, 16))]
    most = 1e-5 if dtype == torch.float32 else most_between(depth, form, dtype)
    assert np.abs(found[0] - found[1]).max() <= most
    assert np.abs(found[0] - whole(plain, image)).max() <= (most if dtype == torch.float32 else 0.05)
    assert (found[1] == scores_in_tiles(network, plane, tile, 16)).all()


@pytest.mark.parametrize(("depth", "form"), [*itertools.product([1, 2, 3], FORMS), (4, FORMS[0]), (4, FORMS[1])])
def test_regions_equal_the_whole_and_pooling_out_of_phase_does_not(depth, form):
    """What the law rests on: tiles that begin half of 2^depth away are another network's, so to speak."""
    network, image = network_of(depth, form), image_of((70, 60))
    plane, expected, multiple = Plane(image, ((0,), (1,))), whole(network, image), 2**depth
    region = Window(2 * multiple, multiple, 23, 19)
    scores = predict_region(network, plane.read, region, 16)
    np.testing.assert_allclose(scores, expected[:, *region.slices], rtol=0, atol=1e-10)

    def out_of_phase(window):
        return plane.read(Window(window.y + multiple // 2, window.x, window.height, window.width))

    moved = Window(region.y + multiple // 2, region.x, region.height, region.width)
    scores = predict_region(network, out_of_phase, region, 16)
    assert np.abs(scores - expected[:, *moved.slices]).max() > 1e-3
    with pytest.raises(ValueError, match=rf"a multiple of 2\^depth = {multiple}, got {moved.y}, {moved.x}"):
        predict_region(network, plane.read, moved, 16)


@pytest.mark.parametrize("form", FORMS)
def test_the_context_is_no_larger_than_it_must_be(form):
    """Pixels at its very edge are felt, but for what a padded network's context was rounded up by."""
    network = network_of(2, form)
    image, read = image_of((4, 4)), []
    slack = {"valid": 0, "same": 2}[form[0]] + (form[2] == "bilinear")

    def watched(window):
        read.append(window)
        return Plane(image, ((0,), (1,))).read(window)

    def changed(window):
        pixels = watched(window).copy()
        pixels[:, slack], pixels[:, :, slack] = 9, 9
        return pixels

    region = Window(0, 0, 4, 4)
    scores, others = predict_region(network, watched, region, 4), predict_region(network, changed, region, 4)
    context = network.architecture.context
    assert read == [Window(-context, -context, 4 + 2 * context, 4 + 2 * context)] * 2
    assert np.abs(scores - others).max() > 0


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_tiles_with_corners_aligned_are_of_one_size_wherever_a_region_ends(depth):
    """Their scores depend on the tile's size, and on nothing else: not on the region, nor on where the image ends."""
    network, image = network_of(depth, ("same", "batch", "bilinear-aligned")), image_of((75, 90))
    plane, whole_plane = Plane(image, ((0,), (1,))), predict_image(network, image, 32)
    regions = [Window(y, x, h, w) for y, h in ((0, 50), (64, 11)) for x, w in ((0, 40), (32, 58))]
    for region in regions:
        scores = predict_region(network, plane.read, region, 32)
        np.testing.assert_allclose(scores, whole_plane[:, *region.slices], rtol=0, atol=1e-10)
    assert np.abs(predict_image(network, image, 64) - whole_plane).max() > 1e-3


def test_scores_are_those_of_the_classes_after_background():
    network, image = network_of(1, FORMS[0]), image_of((8, 8))
    scores = predict_image(network, image)
    assert ((scores > 0) & (scores < 1)).all()
    assert (scores.sum(axis=0) < 1).all()


@examples(3)  # eight passes each
@given(cases())
def test_the_mean_over_symmetries_is_that_of_the_whole(case):
    depth, form, shape, tile = case
    network, image = network_of(depth, form), image_of(shape)
    expected = np.mean([whole(network, image, turns, flip) for turns in range(4) for flip in (False, True)], axis=0)
    np.testing.assert_allclose(
        predict_image(network, image, tile, test_time_augmentation=8), expected, rtol=0, atol=1e-10
    )


def test_integer_images_are_taken_as_they_are():
    network, image = network_of(1, FORMS[1], torch.float32), np.arange(2 * 9 * 7, dtype=np.uint16).reshape(2, 9, 7)
    np.testing.assert_array_equal(predict_image(network, image), predict_image(network, image.astype(np.float32)))


def test_a_network_that_still_learns_is_refused():
    network = UNet(Architecture(base=1, depth=1))
    with pytest.raises(ValueError, match=r"evaluation mode, got training mode; call network\.eval\(\) first"):
        predict_image(network, np.zeros((1, 8, 8), np.float32))


def test_a_gpu_works_in_full_single_precision():
    network, seen = network_of(1, FORMS[0], torch.float32), []
    before = torch.backends.cudnn.allow_tf32
    handle = network.head.register_forward_hook(lambda *_: seen.append(torch.backends.cudnn.allow_tf32))
    predict_image(network, image_of((8, 8)))
    handle.remove()
    assert seen == [False]
    assert torch.backends.cudnn.allow_tf32 == before


def test_a_gpu_that_was_asked_for_and_is_missing_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device=cuda must find a GPU, got none on this machine; set device to auto"):
        choose_device("cuda")
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")


def test_a_gpu_is_taken_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda")
    assert choose_device("cpu") == torch.device("cpu")


@given(st.floats(0, 1, width=32))
def test_bytes_are_the_nearest_of_256_steps(score):
    assert abs(quantise(np.array([score], np.float32))[0] / 255 - score) <= 0.5 / 255 + 1e-6
