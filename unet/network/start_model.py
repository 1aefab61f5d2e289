"""The model that a training begins with: all of it, or its body where its classes are others.

The last convolution, the head, tells classes apart; the body before it has learnt what images look like. So a model of
other classes lends its body, and a head for the classes of the truth is drawn anew. Rejected: rows of the head that
both have in common, as each row was learnt against the others.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from unet.dataset.folder import Dataset, Json
from unet.ledger.results import model_of
from unet.network.model_files import Model, load
from unet.settings.classes import OBJECT

log = logging.getLogger(__name__)

HEAD = "head."
"""What parameters of the last convolution are called by."""


@dataclass(frozen=True)
class StartModel:
    """The model that training begins with."""

    name: str
    model: Model
    classes: tuple[str, ...]
    """Names of its classes of objects; none where it does not know them."""
    has_head: bool
    """Whether its head is taken too."""

    @property
    def parameters(self) -> Mapping[str, Tensor]:
        """Those that are taken; all others are to be drawn."""
        state = self.model.network.state_dict()
        return {name: values for name, values in state.items() if self.has_head or not name.startswith(HEAD)}

    @property
    def plain(self) -> Json:
        """What the new model keeps of it."""
        return {"model": self.name, "classes": list(self.classes), "taken": "all" if self.has_head else "body"}

    @property
    def words(self) -> str:
        """What was taken of it where that is not all."""
        return f"the body of {self.name} was taken, a model of {', '.join(self.classes) or 'other classes'}; a new head"


def start_model(dataset: Dataset, name: str, classes: Sequence[str]) -> StartModel:
    """A model of the dataset to train classes of objects from; the log says where its body alone is taken.

    Its head is taken where its classes have the same names in the same order, where it does not know their names and
    has as many, and where both have one class that one of them calls `object`, as nobody named it.
    """
    model, record = load(dataset, name), model_of(dataset, name).attributes()
    known = tuple(map(str, record.get("classes") or ()))[1:]
    is_same = known in ((), tuple(classes)) or (len(known) == 1 and OBJECT in {*known, *classes})
    has_head = is_same and model.network.architecture.classes == len(classes) + 1
    start = StartModel(name, model, known, has_head)
    if not has_head:
        log.info("%s", start.words)
    return start
