"""How a stack of the dataset is cut into blocks: how many planes it has, which stay together, how wide a gap is."""

import math
from dataclasses import fields
from typing import Literal

from unet.dataset.folder import Dataset, Json
from unet.images.units import spacing_in_pixels
from unet.ledger.results import image_of, weights_of
from unet.settings.weigh import Weigh
from unet.training.split import Extent
from unet.weight_maps.border_weights import halo


def stack_extent(dataset: Dataset, name: str, gap: int | Literal["auto"] = "auto") -> Extent:
    """Planes of a stack over t and z, and how it is cut; LookupError where it has no image."""
    facts = image_of(dataset, name).committed().facts
    sizes = {axis: size for axis, size in zip(facts["axes"], facts["shape"], strict=True) if axis in "tz" and size > 1}
    step = sizes["z"] if len(sizes) == 2 else 1
    reach = _reach(dataset, name, facts) if "z" in sizes and step == 1 else 1
    return Extent(math.prod(sizes.values()), step, reach if gap == "auto" else gap, gap != "auto")


def _reach(dataset: Dataset, name: str, facts: Json) -> int:
    """Planes along z on which the weights of one depend, at least 1: the network itself sees one plane."""
    weights = weights_of(dataset, name).known_stamp()
    if weights is None or weights.recipe.settings.get("dimensions") != 3:
        return 1
    known = {field.name for field in fields(Weigh)} - {"class_weights", "preset"}
    weigh = Weigh(**{key: value for key, value in weights.recipe.settings.items() if key in known})
    return max(halo(weigh, spacing_in_pixels("zyx", facts["spacing"], facts["units"]))[0], 1)
