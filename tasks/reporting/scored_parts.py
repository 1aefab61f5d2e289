"""Which planes of a dataset a report scores, and which part of the data each belongs to."""

from collections.abc import Sequence

from tasks.reporting.comparison import labels_planes
from unet.dataset.folder import Dataset
from unet.ledger.results import labels_of, model_of
from unet.training.split import PlaneRange


def parts_of(dataset: Dataset, names: Sequence[str], model: str) -> list[PlaneRange]:
    """Parts of the data to be scored: the model's own split; for an imported model all truth is validation."""
    own = [PlaneRange(**part) for part in model_of(dataset, model).attributes().get("split", [])]
    if own:
        chosen = set(names)
        return [part for part in own if part.stack in chosen]
    return [PlaneRange(name, 0, len(labels_planes(labels_of(dataset, name, "truth"))), "validation") for name in names]
