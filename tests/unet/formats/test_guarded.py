"""Laws of guarded sources: an OSError of reading names the source, one of writing passes unchanged."""

from contextlib import contextmanager

import numpy as np
import pytest

from unet.formats.guarded import guarded
from unet.formats.stack import Opened
from unet.ledger.source_reading import SourceError


@contextmanager
def opening(plane, error=None):
    if error:
        raise error
    yield Opened("yx", (2, 2), np.dtype(np.uint8), {}, {}, ("0",), plane)


def failing(_):
    raise OSError(5, "Input/output error")


def test_what_is_read_passes_unchanged():
    pixels = np.arange(4, dtype=np.uint8).reshape(2, 2)
    with guarded(("a.tif",), opening(lambda _: pixels)) as opened:
        assert np.array_equal(opened.plane(()), pixels)


@pytest.mark.parametrize(
    ("error", "told", "is_lasting"),
    [
        (PermissionError(13, "Permission denied", "b.tif"), "b.tif must be readable, got: Permission denied", True),
        (OSError(116, "Stale file handle"), "a.tif must be readable, got: Stale file handle", False),
        (OSError("truncated"), "a.tif must be readable, got: truncated", True),
    ],
)
def test_an_error_of_opening_names_the_file(error, told, is_lasting):
    with pytest.raises(SourceError, match=told) as raised, guarded(("a.tif", "b.tif"), opening(failing, error)):
        pass
    assert raised.value.is_lasting == is_lasting


def test_an_error_of_reading_names_the_file_and_one_of_writing_does_not():
    with guarded(("a.tif",), opening(failing)) as opened, pytest.raises(SourceError, match=r"a\.tif .*Input/output"):
        opened.plane(())
    with pytest.raises(OSError, match="No space") as raised, guarded(("a.tif",), opening(failing)):
        raise OSError(28, "No space left on device")
    assert not isinstance(raised.value, SourceError)


def test_an_error_of_the_reader_itself_passes_unchanged():
    with pytest.raises(ValueError, match="odd"), guarded(("a.tif",), opening(failing, ValueError("odd"))):
        pass
