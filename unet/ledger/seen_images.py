"""Which images a model has had to do with, as model.json keeps them: told by digests, whatever a stack is called.

A digest stands for the files of a source, for the image that was made of them, or for its grey values: equal size and
statistics of every channel, to nine digits. That tells a copy under another name or in another format, and one that was
turned over as well. Rejected: names (a model that is brought in meets stacks of other names, and other stacks of the
same), and digests of all pixels (an image that is there already has none, and would have to be read again).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from unet.dataset.folder import Dataset, Json
from unet.ledger.found_settings import tuned_on
from unet.ledger.results import image_of, model_of
from unet.ledger.stamp import Stamp, digest
from unet.sources.stack_names import shortened

KEY = "seen"
"""Where model.json has them."""
INPUT = " image"
"""How inputs of a model's recipe end that are images."""
TOLD_BY = ("min", "max", "mean", "std", "background", "noise", "coarse", "step")
"""Statistics that no setting of ingest changes."""


@dataclass(frozen=True)
class SeenPlanes:
    """Planes of an image that a model has had to do with, and what they were used for."""

    stack: str
    """What it was called there."""
    start: int
    stop: int | None
    """None where it is not known that less than all of it was used."""
    use: str
    digests: frozenset[str]


@dataclass(frozen=True)
class SeenImages:
    """All that is known of what a model has had to do with."""

    planes: tuple[SeenPlanes, ...] = ()
    is_all: bool = False
    """Whether nothing else trained it."""

    @classmethod
    def of(cls, metadata: Json, stamp: Stamp | None) -> "SeenImages":
        """What a model's metadata tells; of one that was made before they told digests, what its recipe does."""
        tuned = _planes(tuned_on(metadata))
        if KEY in metadata:
            return cls((*_planes(metadata[KEY]["images"]), *tuned), bool(metadata[KEY]["is_all"]))
        if stamp is None or stamp.recipe.stage != "train":
            return cls(tuned)
        made_of = {n.removesuffix(INPUT): i for n, i in stamp.recipe.inputs.items() if n.endswith(INPUT)}
        whole: list[Json] = [{"stack": name, "start": 0, "stop": None, "use": "training"} for name in made_of]
        parts = [part for part in metadata.get("split") or whole if part["stack"] in made_of]
        known = _planes({**part, "digests": [f"image {made_of[part['stack']]}"]} for part in parts)
        return cls((*known, *tuned), bool(made_of) and "init_from" not in stamp.recipe.inputs)

    def plain(self) -> Json:
        """As model.json keeps them."""
        images = [{**vars(each), "digests": sorted(each.digests)} for each in self.planes]
        return {"images": images, "is_all": self.is_all}

    def of_image(self, digests: frozenset[str]) -> list[SeenPlanes]:
        """Planes of one image."""
        return list(dict.fromkeys(each for told in sorted(digests) for each in self._by_digest.get(told, ())))

    @cached_property
    def _by_digest(self) -> dict[str, list[SeenPlanes]]:
        found = defaultdict[str, list[SeenPlanes]](list)
        for each in self.planes:
            for told in each.digests:
                found[told].append(each)
        return found


def _planes(entries: Iterable[Mapping[str, Any]]) -> tuple[SeenPlanes, ...]:
    try:
        return tuple(SeenPlanes(**{**entry, "digests": frozenset(entry["digests"])}) for entry in entries)
    except (TypeError, KeyError) as error:
        raise ValueError(f"model.json must say what a model has seen, got {error}; import or train it again") from error


def seen_images(dataset: Dataset, model: str) -> SeenImages:
    """What a model of the dataset has had to do with."""
    result = model_of(dataset, model)
    return SeenImages.of(result.known_attributes(), result.known_stamp())


def told_images(dataset: Dataset, parts: Iterable[Json]) -> tuple[SeenPlanes, ...]:
    """Parts of a split, each with the digests of its stack's image."""
    return _planes({**part, "digests": image_digests(dataset, part["stack"])} for part in parts)


def same_images(planes: Iterable[SeenPlanes]) -> list[str]:
    """A sentence on each image that lies under several names of which some train and others are kept out."""
    uses = defaultdict[str, dict[str, set[str]]](lambda: defaultdict(set))
    for each in planes:
        for told in each.digests:
            uses[told][each.stack].add(each.use)
    groups = {frozenset(of): set().union(*of.values()) for of in uses.values() if len(of) > 1}
    whole = [names for names in groups if not any(names < others for others in groups)]
    return [
        f"{shortened(sorted(names))} hold the same image, of which some planes train the model and others are kept out"
        for names in sorted(whole, key=sorted)
        if "training" in groups[names] and len(groups[names]) > 1
    ]


def image_digests(dataset: Dataset, name: str) -> frozenset[str]:
    """What tells a stack's image whatever it is called; nothing where there is none."""
    stamp = image_of(dataset, name).known_stamp()
    if stamp is None:
        return frozenset()
    found = {f"image {stamp.identity}"}
    if "source" in stamp.recipe.inputs:
        place = [stamp.recipe.settings.get(key) for key in ("scene", "grid")]
        found.add(f"source {digest([stamp.recipe.inputs['source'], *place])}")
    if "statistics" in stamp.facts and "shape" in stamp.facts:
        found.add(f"pixels {_of_pixels(stamp.facts)}")
    return frozenset(found)


def _of_pixels(facts: Mapping[str, Any]) -> str:
    """Digest of the size and the grey values of an image."""
    channels = [{key: f"{known[key]:.9g}" for key in TOLD_BY if key in known} for known in facts["statistics"]]
    return digest([[size for size in facts["shape"] if size > 1], channels])
