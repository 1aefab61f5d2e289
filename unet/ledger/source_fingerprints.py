"""What the files of a stack's sources hold, of which those that did not change are not read again."""

from collections.abc import Iterator

from unet.dataset.folder import Dataset
from unet.ledger import fingerprint
from unet.ledger.fingerprint import Fingerprint
from unet.ledger.generations import Result
from unet.ledger.outcome import fingerprints_set_aside
from unet.ledger.results import image_of, labels_of
from unet.sources.stacks import Stack


def source_fingerprint(
    dataset: Dataset, name: str, files: tuple[str, ...], is_truth: bool = False, is_linked: bool = False
) -> Fingerprint:
    """Fingerprint of the files of a stack's image or truth.

    Those that did not change since it was made, or was set aside, are not read again. Where one of them cannot be
    read, which must stop no other stack, the reason stands for what they hold.
    """
    result = labels_of(dataset, name, "truth") if is_truth else image_of(dataset, name)
    known = () if _is_reordered(result, files) else _known_fingerprints(dataset, name, result)

    def read() -> Fingerprint:
        try:
            return fingerprint.of_files(files, known, once=True, is_linked=is_linked)
        except OSError as error:
            return fingerprint.unreadable(error)

    return result.folder.once(("files", files, is_linked), read)


def _is_reordered(result: Result, files: tuple[str, ...]) -> bool:
    """Whether the same files are given in another order, as where two classes changed folders: all may look alike."""
    stamp = result.known_stamp()
    before = tuple(stamp.facts.get("source", ())) if stamp else ()
    return before != files and sorted(before) == sorted(files)


def source_fingerprints(dataset: Dataset, stack: Stack) -> list[Fingerprint]:
    """Those of the files of a stack's image and truth."""
    image = source_fingerprint(dataset, stack.name, stack.files, is_linked=stack.is_linked)
    return [image, source_fingerprint(dataset, stack.name, stack.truth, is_truth=True)] if stack.truth else [image]


def _known_fingerprints(dataset: Dataset, name: str, result: Result) -> Iterator[Fingerprint]:
    """What a stack's files were known to hold when it was made, and when it was set aside."""
    stamp = result.known_stamp()
    if stamp and "files" in stamp.facts:
        yield Fingerprint(**stamp.facts["files"])
    yield from fingerprints_set_aside(dataset, name)
