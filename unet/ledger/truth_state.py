"""What became of a stack's truth: as its source gave it, edited by hand or drawn here, withdrawn, of no use.

Nothing here changes it: who asks are recipes, and stages that must not overwrite what a person drew.
"""

from unet.dataset.folder import Dataset, Folder
from unet.dataset.safe_load import LARGEST_JSON
from unet.ledger import fingerprint
from unet.ledger.contents import CLASSES
from unet.ledger.generations import Result
from unet.ledger.results import image_of, labels_of, weights_of
from unet.ledger.stamp import digest
from unet.sources.stacks import Stack


def truth_content(dataset: Dataset, name: str) -> str | None:
    """Digest of a stack's truth as it lies there now, edited by hand or not; None where it has none."""
    truth = labels_of(dataset, name, "truth")
    return truth.folder.once("content", lambda: _truth_content(truth))


def _truth_content(truth: Result) -> str | None:
    if truth.is_metadata_lost():
        return None
    multiscales = truth.attributes().get("ome", {}).get("multiscales")
    if not multiscales:
        return None
    level = truth.folder / str(multiscales[0]["datasets"][0]["path"])
    stamp = truth.stamp()
    found = fingerprint.of_folder(level, stamp.facts.get("arrays") if stamp else None).content
    if stamp is not None and found != stamp.facts["arrays"]["content"] and truth.holes():
        contents = truth.contents(stamp.generation)
        if contents.is_untouched(stamp.facts.get("contents") or {}):
            return str(stamp.facts["arrays"]["content"])  # lost is not edited: what is lost is made again
    return found


def truth_classes_content(dataset: Dataset, name: str) -> str:
    """Digest of the class of each id of a stack's truth, edited by hand or not; "" where truth has no classes."""
    truth = labels_of(dataset, name, "truth")
    stamp = truth.known_stamp()
    if stamp is None or "class_digest" not in stamp.facts:
        return ""
    found = truth.folder.once("class digest", lambda: class_digest(truth.folder / stamp.generation))
    return found or str(stamp.facts["class_digest"])  # lost is not edited: what is lost is made again


def class_digest(generation: Folder) -> str:
    """Digest of what tells the class of each id in a generation of truth; "" where it is lost."""
    content = (generation / CLASSES).read(LARGEST_JSON + 1)
    return digest(content.decode(errors="replace")) if content else ""


def ignored_id(dataset: Dataset, name: str) -> int | None:
    """Id in a stack's truth that marks pixels nobody judged; None where all were."""
    stamp = labels_of(dataset, name, "truth").stamp()
    return stamp.facts.get("ignore") if stamp else None


def is_edited(dataset: Dataset, name: str) -> bool:
    """Whether somebody changed a stack's truth since it was ingested, or drew it here.

    Raises:
        ValueError: nobody knows, as its metadata is lost or damaged, and its pixels are not those that were ingested.
    """
    truth = labels_of(dataset, name, "truth")
    if truth.is_metadata_lost():
        if not truth.is_untouched():
            raise ValueError(
                f"{truth.folder.url} must be as it was ingested where its zarr.json is lost or damaged, got other "
                "pixels, as of an edit: put that file back, or remove the folder to take its source's truth again"
            )
        return False
    stamp = truth.stamp()
    content = truth_content(dataset, name)
    if content is None or stamp is None or stamp.facts["arrays"]["content"] != content:
        return content is not None
    return truth_classes_content(dataset, name) != str(stamp.facts.get("class_digest", ""))


def is_withdrawn(dataset: Dataset, name: str) -> bool:
    """Whether a stack's truth was taken out of its source, as ingest found it, and nobody edited it since."""
    stamp = labels_of(dataset, name, "truth").known_stamp()
    return stamp is not None and bool(stamp.facts.get("withdrawn")) and not is_edited(dataset, name)


def is_to_be_withdrawn(dataset: Dataset, stack: Stack) -> bool:
    """Whether a stack's truth came from a source that has it no more, though the source is there.

    Truth that was edited by hand, or drawn here, is nobody's but that person's.
    """
    if stack.truth or stack.is_truth_away:
        return False
    return labels_of(dataset, stack.name, "truth").known_stamp() is not None and not is_edited(dataset, stack.name)


def has_truth(dataset: Dataset, name: str, stack: Stack | None) -> bool:
    """Whether a stack has truth that is of use; `stack` is what the sources have of it, if anything."""
    if stack is not None and stack.truth:
        return True
    if truth_content(dataset, name) is None or is_withdrawn(dataset, name):
        return False
    return stack is None or not is_to_be_withdrawn(dataset, stack)


def has_fitting_truth(dataset: Dataset, name: str) -> bool:
    """Whether a stack whose source cannot be read now has truth that was weighed, and an image of the same shape."""
    image, weights = image_of(dataset, name).known_stamp(), weights_of(dataset, name).known_stamp()
    if image is None or weights is None or is_withdrawn(dataset, name):
        return False
    sizes = zip(image.facts["axes"], image.facts["shape"], strict=True)
    return [size for axis, size in sizes if axis != "c"] == list(weights.facts.get("shape", []))
