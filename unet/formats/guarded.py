"""A source opened so that what its disk does wrong is told from what the dataset's disk does."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace

import numpy as np

from unet.formats.stack import Opened
from unet.ledger.source_reading import source_errors


@contextmanager
def guarded(files: Sequence[str], opening: AbstractContextManager[Opened]) -> Iterator[Opened]:
    """What `opening` opens of some files; an OSError of reading them is a `SourceError` that names one."""
    with ExitStack() as held:
        with source_errors(files):
            opened = held.enter_context(opening)

        def plane(index: tuple[int, ...]) -> np.ndarray:
            with source_errors(files):
                return opened.plane(index)

        yield replace(opened, plane=plane)
