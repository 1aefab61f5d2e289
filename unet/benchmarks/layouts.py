"""The files of a challenge's own folder, found by their names alone, and refused where one is missing or renamed.

    isbi2012     train-volume.tif train-labels.tif        or    image/00.tif … label/00.tif …
    phc-u373     01/t000.tif …  01_GT/SEG/man_seg005.tif …  01_GT/TRA/man_track000.tif …  01_ST/SEG/man_seg000.tif …
    dsb2018      stage1_train/ID/images/ID.png ID/masks/*.png    or    image/152.tif … label/152.tif …

The law: every image has its truth where the challenge promises it, every file of truth has its image, and numbers have
no gaps; else one sentence names the file.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unet.benchmarks.published import Benchmark, how_to_get
from unet.sources.image_kinds import stem
from unet.sources.stack_names import natural_order, shortened
from unet.sources.stacks import Files

PICTURES = (".tif", ".tiff", ".png")
PAIRS = (("image", "label"), ("images", "labels"), ("train/image", "train/label"), ("train/images", "train/labels"))
"""Folders of images and of labels, as they are found around."""
VOLUMES = ("train-volume", "train-labels")
SEQUENCES = ("01", "02")
FRAME = "t"
INSIDE = {"phc-u373": "PhC-C2DH-U373", "dic-hela": "DIC-C2DH-HeLa"}


@dataclass(frozen=True)
class BenchmarkUnit:
    """What is tested or trained on as a whole: the stack of sections, a sequence, a picture."""

    name: str
    images: Files
    """One file, of a plane or more; or a file a plane."""
    truth: Files = ()
    """Its labels, as its images lie; where it `has_masks`, a file an object."""
    has_masks: bool = False
    frames: tuple[int, ...] = ()
    """Numbers of the frames of a sequence, as its files have them."""
    gold: Mapping[int, str] = field(default_factory=dict)
    """Objects that people drew, by frame: of some frames, and perhaps not all of them."""
    silver: Mapping[int, str] = field(default_factory=dict)
    """Objects that programs agreed on, by frame: all of them, and never scored with."""
    markers: Mapping[int, str] = field(default_factory=dict)
    """A mark within each object, by frame."""

    @property
    def files(self) -> Files:
        """All files that it is read from."""
        by_frame = (*self.gold.values(), *self.silver.values(), *self.markers.values())
        return (*self.images, *self.truth, *by_frame)


def find_units(benchmark: Benchmark, folder: Path) -> list[BenchmarkUnit]:
    """The units of a challenge's folder, by their names.

    Raises:
        LookupError: the folder or a file is not there, or a file belongs to none.
    """
    if not folder.is_dir():
        raise LookupError(
            f"--data must be a folder with {benchmark.holds}, got none at {folder}; {how_to_get(benchmark)}"
        )
    finders = {"sections": _sections, "sequences": _sequences, "pictures": _pictures}
    found = finders[benchmark.kind](folder)
    if not found:
        raise LookupError(f"{folder} must hold {benchmark.holds}, got none of them; {how_to_get(benchmark)}")
    return found


def _sections(top: Path) -> list[BenchmarkUnit]:
    volumes = [_one(top, name) for name in VOLUMES]
    if any(volumes):
        image, labels = (_required(top, name, found) for name, found in zip(VOLUMES, volumes, strict=True))
        return [BenchmarkUnit("sections", (image,), (labels,))]
    pairs = _pairs(top)
    numbers = sorted(int(name) for name in pairs if name.isdigit())
    if numbers and len(numbers) == len(pairs) and (lost := set(range(numbers[0], numbers[-1])) - set(numbers)):
        folder = Path(next(iter(pairs.values()))[0]).parent
        raise LookupError(f"{folder} must hold all sections, got none of number {min(lost)}; copy it again")
    images = tuple(image for image, _ in pairs.values())
    return [BenchmarkUnit("sections", images, tuple(label for _, label in pairs.values()))] if pairs else []


def _pictures(top: Path) -> list[BenchmarkUnit]:
    if pairs := _pairs(top):
        return [BenchmarkUnit(name, (image,), (label,)) for name, (image, label) in pairs.items()]
    folder = next((top / name for name in ("stage1_train", "train") if (top / name).is_dir()), top)
    return [_with_masks(each) for each in _folders(folder) if (each / "images").is_dir() or (each / "masks").is_dir()]


def _with_masks(folder: Path) -> BenchmarkUnit:
    images, masks = _pictures_in(folder / "images"), _pictures_in(folder / "masks")
    if len(images) != 1:
        raise LookupError(f"{folder / 'images'} must hold one picture, got {len(images)}; copy it again")
    if not masks:
        raise LookupError(f"{folder / 'masks'} must hold a mask an object, got none; copy it again")
    return BenchmarkUnit(folder.name, tuple(images.values()), tuple(masks.values()), has_masks=True)


def _pairs(top: Path) -> dict[str, tuple[str, str]]:
    """Images with their labels, which bear the same name, in natural order; none where there are no such folders."""
    for of_images, of_labels in PAIRS:
        if not (top / of_images).is_dir():
            continue
        images, labels = _pictures_in(top / of_images), _pictures_in(top / of_labels)
        for name in images.keys() ^ labels.keys():
            has, lacks = (of_images, of_labels) if name in images else (of_labels, of_images)
            file = (images | labels)[name]
            raise LookupError(f"{file} in {has} must have one of its name in {lacks}, got none; copy it again")
        return {name: (images[name], labels[name]) for name in images}
    return {}


def _sequences(top: Path) -> list[BenchmarkUnit]:
    top = next((top / name for name in INSIDE.values() if (top / name / SEQUENCES[0]).is_dir()), top)
    if not any((top / name).is_dir() for name in SEQUENCES):
        return []
    return [_sequence(top, name) for name in SEQUENCES]


def _sequence(top: Path, name: str) -> BenchmarkUnit:
    images = _frames(top / name, FRAME)
    if not images:
        raise LookupError(f"{top / name} must hold frames t000.tif, t001.tif …, got none; copy it again")
    if lost := set(range(min(images), max(images))) - set(images):
        raise LookupError(f"{top / name} must hold all frames, got none of number {min(lost)}; copy it again")
    truth = {
        kind: _frames(top / f"{name}_{kind}", word)
        for kind, word in (("GT/SEG", "man_seg"), ("ST/SEG", "man_seg"), ("GT/TRA", "man_track"))
    }
    for files in truth.values():
        for frame in files.keys() - images.keys():
            raise LookupError(f"{files[frame]} must be of a frame in {top / name}, got none of number {frame}")
    gold, silver, markers = truth.values()
    if not gold:
        raise LookupError(f"{top / name}_GT/SEG must hold man_seg000.tif or others, got none; copy it again")
    for frame in sorted((images.keys() - markers.keys()) if markers else ()):
        raise LookupError(f"{top / name}_GT/TRA must hold man_track of all frames, got none of number {frame}")
    return BenchmarkUnit(name, tuple(images.values()), frames=tuple(images), gold=gold, silver=silver, markers=markers)


def _frames(folder: Path, word: str) -> dict[int, str]:
    """Files of frames by their numbers, which stand behind a word, in order; a picture of another name is refused."""
    found = {}
    for name, file in _pictures_in(folder).items():
        matched = re.fullmatch(rf"{word}(\d{{3,4}})", name)
        if matched is None:
            raise LookupError(f"{file} must be called as the challenge calls it, like {word}000.tif; rename it")
        found[int(matched[1])] = file
    return dict(sorted(found.items()))


def _pictures_in(folder: Path) -> dict[str, str]:
    """Pictures right in a folder by their names without suffix, in natural order; none where it is not there."""
    files = [file for file in folder.iterdir() if file.suffix.lower() in PICTURES] if folder.is_dir() else []
    return {
        stem(file.name): str(file) for file in sorted(files, key=lambda file: natural_order(file.name)) if _seen(file)
    }


def _folders(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir() and _seen(each))


def _seen(path: Path) -> bool:
    return not path.name.startswith(".")


def _one(top: Path, name: str) -> str | None:
    return _pictures_in(top).get(name)


def _required(top: Path, name: str, found: str | None) -> str:
    if found is None:
        others = shortened(sorted(_pictures_in(top).values()))
        raise LookupError(f"{top} must hold {name}.tif, got {others}; copy it again, or rename it back")
    return found


def all_files(units: Sequence[BenchmarkUnit]) -> list[str]:
    """Every file that units are read from, each once."""
    return sorted({file for unit in units for file in unit.files})
