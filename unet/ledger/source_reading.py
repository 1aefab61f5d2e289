"""Reading source files that somebody may be writing: what is kept of them is of one moment, or nothing is.

Content alone does not tell: a file that was A when it was hashed, B while it was read, and A again when it was hashed
anew, would have B's pixels kept as A's. So the time at which the system last changed the file counts too, which nobody
can set back, as a copy's time of change can be. A run that goes on from a killed one takes over what that read only
where the files were not touched since.
"""

import errno
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from unet.ledger.fingerprint import Fingerprint, moments, of_files
from unet.ledger.generations import Generation, Result
from unet.ledger.stamp import Recipe
from unet.sources.arrivals import UnfinishedError

NOTE = "source.json"
"""What a generation in the making keeps of the files that it is made of."""


LASTING = (
    *(errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR),
    *(errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO, errno.ENODEV),
)
"""Errors of a disk that another try meets again, within the same run."""


class SourceError(OSError):
    """A source file could not be read, by its rights or its disk; not to be taken for a fault of the dataset's disk."""

    @property
    def is_lasting(self) -> bool:
        """Whether another try would fail as well; errors without a number, of libraries, are of the file itself."""
        is_remote = "://" in str(self)
        return self.errno in LASTING or (self.errno is None and not is_remote)


class UnreadableError(LookupError):
    """A source file cannot be read: its stack is set aside, and tried again at every run."""

    passes = True


@contextmanager
def source_errors(files: Sequence[str]) -> Iterator[None]:
    """Turns an OSError of what is below into a `SourceError` that names the file."""
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
        named = error.filename if isinstance(error.filename, str) else files[0]
        told = SourceError(f"{named} must be readable, got: {why}; mend the file, its rights or its disk")
        told.errno = error.errno
        raise told from error


class SourceReading:
    """Files of one stack's image, or of its truth, from before they are opened until all is read."""

    def __init__(self, files: tuple[str, ...], is_linked: bool = False) -> None:
        self.files, self.is_linked = files, is_linked
        with source_errors(files):
            self.before = moments(files)

    def begin(self, result: Result, recipe: Recipe) -> Generation:
        """The generation to write into; what an earlier run left is taken on if the files were not touched since."""
        seen = json.dumps(self.before).encode()
        generation = result.begin(recipe, {})
        if (generation.folder / NOTE).read() not in (None, seen):
            result.discard(generation.name)
            generation = result.begin(recipe, {})
        (generation.folder / NOTE).write(seen)
        return generation

    def finish(self, result: Result, generation: Generation, content: str) -> Fingerprint:
        """The files' fingerprint now that all is read; UnfinishedError where they changed, and nothing is kept.

        Args:
            result: what is made of them.
            generation: what was written.
            content: digest that they had before they were read.
        """
        is_folder = any(Path(file).is_dir() for file in self.files)  # of gigabytes: read once, as moments tell the rest
        with source_errors(self.files):
            known = [Fingerprint("", content)]
            found = of_files(self.files, known, once=is_folder, is_linked=self.is_linked)
            now = moments(self.files)
        if found.content != content or now != self.before:
            result.discard(generation.name)
            raise unfinished(self.files)
        (generation.folder / NOTE).remove()
        return found


def unfinished(files: Sequence[str]) -> UnfinishedError:
    """The error of files that somebody writes."""
    which = files[0] if len(files) == 1 else f"one of {len(files)} files in {Path(files[0]).parent}"
    return UnfinishedError(f"{which} changed while it was read; the next run takes it once it is written")
