"""Names of truth: what stands behind an image's name, `a_mask.png` for `a.tif`, and which convention a folder follows.

With `suffix`, files of that ending are truth, in a folder of their own or beside the images, and no others are. A
convention that a folder seems to follow is offered to a person, with how many images it fits, and never taken by
itself: of two in one folder the wrong one would pair silently.

    a.tif  a_mask.tif           suffix _mask; truth beside its image
    a.tif  truth/a_cp_masks.png suffix _cp_masks; Cellpose's
    a.tif  a.roi  a_RoiSet.zip  outlines need no suffix, as they never are images
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from unet.settings.ingest import Source
from unet.sources.image_kinds import is_class_table, is_image, is_outlines, stem
from unet.sources.paths import resolved

CONVENTIONS = ("_cp_masks", "_masks", "_mask", "_seg", "_labels", "_label", "_truth", "_gt")
"""What is offered of names that lie among those of images; in a folder of its own truth may have any ending."""
ENDING = re.compile(r"[_. -][^/]*[A-Za-z][^/]*")
CHANNEL = re.compile(r"_\d{4}$")
"""What nnU-Net puts behind the names of images, and not of labels: the number of a channel."""
ROI_SET = re.compile(r"[ _.-]*RoiSet[ _.-]*", re.IGNORECASE)
"""What ImageJ calls the file of several outlines."""
ROI_NAME = re.compile(r"\d{4,}(-\d{4,}){1,2}")
"""What ImageJ calls a single outline that nobody named; those of a folder belong together."""


def truth_place(source: Source, root: Path) -> Path | None:
    """Where truth of a source lies, the folder of its images where only a suffix is given.

    None where it has none, or one a class: `truth_parts.parts_of` has those.
    """
    if isinstance(source.truth, Mapping) or (source.truth is None and source.suffix is None):
        return None
    return resolved(source.images if source.truth is None else source.truth, root)


def lies_beside(source: Source, root: Path) -> bool:
    """Whether truth lies in the folder of its images."""
    return truth_place(source, root) == resolved(source.images, root)


def is_of_truth(source: Source, path: Path, beside: bool) -> bool:
    """Whether a file is truth by its name; `beside` its image, not all are.

    >>> [is_of_truth(Source("raw", suffix="_mask"), Path(name), True) for name in ("a.tif", "a_mask.tif", "a.roi")]
    [False, True, True]
    """
    if is_class_table(path.name):
        return True
    is_marked = source.suffix is not None and _is_marked(source, path)
    if is_outlines(path.name):
        return not beside or is_marked or is_surely_outlines(path.name)
    return is_marked if beside or source.suffix is not None else is_image(path.name)


def _is_marked(source: Source, path: Path) -> bool:
    names = (stem(path.name), *([path.parent.name] if source.slices else []))
    return any(name.endswith(source.suffix or "") for name in names)


def is_surely_outlines(name: str) -> bool:
    """Whether a file of outlines can be nothing else, as a `.json` or another `.zip` can.

    >>> is_surely_outlines("a.geojson"), is_surely_outlines("RoiSet_a.zip"), is_surely_outlines("a.json")
    (True, True, False)
    """
    return name.lower().endswith((".roi", ".geojson")) or (name.lower().endswith(".zip") and bool(ROI_SET.search(name)))


def key_of_truth(source: Source, key: str, file: str) -> str:
    """Key of the image that a file of truth belongs to, by the key of its own name.

    >>> key_of_truth(Source("raw", suffix="_mask"), "day1/a_mask", "a_mask.tif")
    'day1/a'
    >>> [key_of_truth(Source("raw"), key, "x.zip") for key in ("day1/a_RoiSet", "day1/a/RoiSet", "day1/a")]
    ['day1/a', 'day1/a', 'day1/a']
    """
    name = PurePosixPath(key)
    if is_outlines(file) and not source.slices:
        bare = "" if ROI_NAME.fullmatch(name.name) else ROI_SET.sub("", name.name)
        key = name.with_name(bare).as_posix() if bare else name.parent.as_posix()
    return key.removesuffix(source.suffix) if source.suffix else key


class Offer(NamedTuple):
    """A convention that names seem to follow."""

    suffix: str
    """What `suffix` of the source would be; empty where it is another setting."""
    words: str
    """What a person is told, with what to say."""


def offered(source: Source, images: Collection[str], truth: Collection[str] | None) -> Offer | None:
    """The convention by which truth would fit images that it does not fit as it is; None where there is no single one.

    Args:
        source: without a suffix.
        images: keys of images.
        truth: keys of truth in a folder of its own; None where it may lie among the images.

    >>> offered(Source("raw"), ["a", "a_mask", "b", "c", "c_mask"], None).words
    '2 of 3 images have truth by suffix `_mask`; say `--suffix _mask`'
    >>> offered(Source("imagesTr", "labelsTr"), ["a_0000", "b_0000"], ["a", "b"]).words[:58]
    '2 of 2 images have truth without the number of a channel b'
    """
    if source.suffix is not None or source.pattern is not None or not {*images}.isdisjoint(truth or ()):
        return None
    fits = _fits(images, images if truth is None else truth, is_free=truth is not None)
    if len(fits) == 1:
        ((suffix, count),) = fits.items()
        number = len(images) - (count if truth is None else 0)
        return Offer(suffix, f"{count} of {number} images have truth by suffix `{suffix}`; say `--suffix {suffix}`")
    if fits:
        listed = " or ".join(f"`--suffix {suffix}` ({count})" for suffix, count in fits.most_common(4))
        return Offer("", f"truth seems to bear the names of images with something behind; say {listed}")
    channels = sum(bool(CHANNEL.search(key)) and CHANNEL.sub("", key) in (truth or ()) for key in images)
    if channels:
        return Offer(
            "",
            f"{channels} of {len(images)} images have truth without the number of a channel behind, as nnU-Net names "
            "them; say `--pattern '{name}_{c}.tif'`, with the suffix that the images have",
        )
    return None


def _fits(images: Collection[str], truth: Iterable[str], is_free: bool) -> Counter[str]:
    """Endings that make keys of truth of keys of images, each with how many; where they may be any, the shortest."""
    known, fits = set(images), Counter[str]()
    for key in truth:
        endings = [key[at:] for at in range(len(key) - 1, 0, -1) if key[:at] in known] if is_free else CONVENTIONS
        allowed = (end for end in endings if key.endswith(end) and key.removesuffix(end) in known)
        if end := next((end for end in allowed if not is_free or ENDING.fullmatch(end)), None):
            fits[end] += 1
    return fits
