"""Laws of sizes: what a network takes and gives, as the paper's figure and its arithmetic have it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet.architecture import Architecture

architectures = st.builds(Architecture, depth=st.integers(1, 5), padding=st.sampled_from(["valid", "same"]))


def walked(size, architecture):
    """Side of the map after every convolution, pooling and widening, one after the other; None where one is odd."""
    lost = 4 if architecture.padding == "valid" else 0
    for _ in range(architecture.depth):
        size -= lost
        if size <= 0 or size % 2:
            return None
        size //= 2
    size -= lost
    for _ in range(architecture.depth):
        size = 2 * size - lost
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
        ({"classes": 1}, "classes must be ≥ 2"),
        ({"dropout": 1.0}, "dropout must be 0 ≤ dropout < 1"),
        ({"dropout": float("nan")}, "dropout must be 0 ≤ dropout < 1"),
    ],
)
def test_what_is_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        Architecture(**settings)
