import pytest

from unet.sources.image_kinds import OUTLINES, SUFFIXES, is_image, is_truth, stem


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_stem_loses_one_whole_suffix(suffix):
    assert stem(f"a.b{suffix}") == "a.b"
    assert is_truth(f"a{suffix}")


@pytest.mark.parametrize("suffix", OUTLINES)
def test_outlines_are_truth_and_never_images(suffix):
    assert (stem(f"a.b{suffix}"), is_truth(f"a{suffix.upper()}"), is_image(f"a{suffix}")) == ("a.b", True, False)
    assert not is_truth(f"._a{suffix}")
