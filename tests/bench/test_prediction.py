"""What benches of prediction share: a model that is put anew is another one to the process that predicts with it."""

from dataclasses import replace

from tests.bench.prediction import SMALL, operations_read, put_model
from unet.dataset.folder import Dataset
from unet.network.model_files import model_identity, ready_model
from unet.network.numeric_plan import NumericPlan
from unet.settings.architecture import Architecture


def test_a_model_of_another_architecture_is_another_model(tmp_path):
    dataset, bases = Dataset(str(tmp_path)), []
    for base in (2, 4):
        put_model(dataset, replace(SMALL, base=base, depth=1))
        held = ready_model(dataset, "net", model_identity(dataset, "net"), "cpu", "float32")
        bases.append(held.network.architecture.base)
    assert bases == [2, 4]


def test_context_is_computed_too():
    """A tile of 8 px with 12 px of context on each side has 4² times the operations."""
    plan = NumericPlan((8, 8), 1, 256, "cpu", 1, "float32")
    architecture = Architecture(base=1, depth=1, padding="same")
    assert operations_read(plan, architecture, 2) == 16 * 500
