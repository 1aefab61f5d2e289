"""Laws of sizes: what a network takes and gives, as the paper's figure and its arithmetic have it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from unet.settings.architecture import Architecture

FORMS = [("valid", "transposed"), ("same", "transposed"), ("same", "bilinear"), ("same", "bilinear-aligned")]
architectures = st.builds(
    lambda depth, form: Architecture(depth=depth, padding=form[0], up=form[1]),
    st.integers(1, 5),
    st.sampled_from(FORMS),
)


def walked(size, architecture):
    """Side of the map after every convolution, pooling and widening, one after the other; None where it is not legal.

    An odd side before a pooling is legal with aligned corners alone: what is widened is padded to the skip's side.
    """
    lost, skips = 4 if architecture.padding == "valid" else 0, []
    for _ in range(architecture.depth):
        size -= lost
        if size <= 0 or (size % 2 and architecture.tileable):
            return None
        skips.append(size)
        size //= 2
    size -= lost
    for skip in reversed(skips):
        size = 2 * size - lost if architecture.tileable else skip * (size > 0)
    return size if size > 0 else None


def test_the_papers_figure():
    assert Architecture().output_size(572) == 388


@pytest.mark.parametrize(
    ("depth", "context", "legal"),
    [
        (1, 8, [18, 20, 22, 24]),
        (2, 20, [44, 48, 52, 56]),
        (3, 44, [92, 100, 108, 116]),
        (4, 92, [188, 204, 220, 236]),
        (5, 188, [380, 412, 444, 476]),
    ],
)
def test_legal_sizes_and_context_without_padding(depth, context, legal):
    architecture = Architecture(depth=depth)
    assert architecture.context == context
    assert [size for size in range(legal[-1] + 1) if walked(size, architecture)] == legal
    assert [architecture.output_size(size) for size in legal] == [size - 2 * context for size in legal]


@pytest.mark.parametrize(
    ("up", "contexts"),
    [("transposed", [12, 24, 48, 96, 192]), ("bilinear", [14, 28, 56, 112, 224])],
)
def test_context_with_padding(up, contexts):
    found = [Architecture(depth=depth, padding="same", up=up) for depth in range(1, 6)]
    assert [architecture.context for architecture in found] == contexts
    assert all(architecture.context % architecture.multiple == 0 for architecture in found)


def test_a_card_from_before_a_field_was_there_means_its_default():
    before = {"in_channels": 1, "classes": 2, "base": 64, "depth": 4, "padding": "valid", "norm": "none"}
    read = TypeAdapter(Architecture).validate_python({**before, "up": "transposed", "dropout": 0.0})
    assert read == Architecture()
    assert [one for one in FORMS if not Architecture(padding=one[0], up=one[1]).tileable] == [FORMS[-1]]


@given(architectures, st.integers(-5, 700))
def test_output_size_is_what_remains_after_walking_through_the_network(architecture, size):
    expected = walked(size, architecture)
    if expected:
        assert architecture.output_size(size) == expected
    else:
        with pytest.raises(ValueError, match=f"input size {size} pools an odd map at depth {architecture.depth}"):
            architecture.output_size(size)


@given(architectures, st.integers(1, 300))
def test_input_size_is_the_least_legal_one(architecture, output):
    def covers(size):
        return walked(size, architecture) is not None and size - 2 * architecture.context >= output

    assert architecture.input_size(output) == next(size for size in range(1, 2000) if covers(size))


@pytest.mark.parametrize(
    ("architecture", "size", "nearest"),
    [
        (Architecture(), 570, "556 and 572"),
        (Architecture(), 573, "572 and 588"),
        (Architecture(), 12, "188"),
        (Architecture(padding="same"), 100, "96 and 112"),
        (Architecture(padding="same"), 3, "16"),
        (Architecture(depth=1), 19, "18 and 20"),
        (Architecture(padding="same", up="bilinear"), 100, "96 and 112"),
        (Architecture(padding="same", up="bilinear-aligned"), 15, "16"),
    ],
)
def test_an_illegal_size_names_the_nearest_legal_ones(architecture, size, nearest):
    with pytest.raises(ValueError, match=f"nearest legal: {nearest}$"):
        architecture.output_size(size)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"in_channels": 0}, "in_channels must be ≥ 1, got 0"),
        ({"base": 0}, "base must be ≥ 1, got 0"),
        ({"depth": 0}, "depth must be ≥ 1, got 0"),
        ({"depth": 10**8}, "depth must be 16 at most, got 1e[+]08"),
        ({"base": 10**22}, "base must be 65,536 at most, got 1e[+]22"),
        ({"classes": 1}, "classes must be ≥ 2"),
        ({"dropout": 1.0}, "dropout must be 0 ≤ dropout < 1"),
        ({"dropout": float("nan")}, "dropout must be 0 ≤ dropout < 1"),
        ({"up": "bilinear"}, "up=bilinear must go with padding=same, got padding=valid; set up to transposed"),
        ({"up": "bilinear-aligned"}, "up=bilinear-aligned must go with padding=same"),
    ],
)
def test_what_is_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        Architecture(**settings)
