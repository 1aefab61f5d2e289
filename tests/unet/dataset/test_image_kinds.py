import pytest

from unet.dataset.image_kinds import SUFFIXES, stem


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_stem_loses_one_whole_suffix(suffix):
    assert stem(f"a.b{suffix}") == "a.b"
