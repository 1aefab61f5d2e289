"""Law of where a training starts: the head is taken of the same classes in the same order, the body always."""

import pytest
import torch

from unet.dataset.folder import Dataset
from unet.ledger.results import model_of
from unet.ledger.stamp import Recipe
from unet.network import model_files
from unet.network.model_files import Model
from unet.network.start_model import start_model
from unet.network.unet import UNet
from unet.settings.architecture import Architecture


@pytest.mark.parametrize(
    ("known", "classes", "has_head"),
    [
        (["background", "nucleus", "mitosis"], ("nucleus", "mitosis"), True),
        (["background", "mitosis", "nucleus"], ("nucleus", "mitosis"), False),
        (["background", "nucleus", "debris"], ("nucleus", "mitosis"), False),
        (["background", "object"], ("nucleus", "mitosis"), False),
        (["background", "nucleus"], ("mitosis",), False),
        (["background", "nucleus"], ("object",), True),
        (["background", "object"], ("nucleus",), True),
        (None, ("nucleus", "mitosis"), True),
        (None, ("nucleus",), False),
    ],
)
def test_the_head_is_taken_where_classes_are_the_same(tmp_path, caplog, known, classes, has_head):
    dataset, torch_classes = Dataset(str(tmp_path)), len(known) if known else 3
    network = UNet(Architecture(base=4, depth=1, padding="same", classes=torch_classes)).eval()
    result = model_of(dataset, "old")
    generation = result.begin(Recipe("train", 1, {}, {}), {})
    model_files.save(result, generation, Model(network, ("0",), {}), {"classes": known} if known else {}, {})
    caplog.set_level("INFO", "unet")
    start = start_model(dataset, "old", classes)
    assert start.has_head == has_head
    lost = set(network.state_dict()) - set(start.parameters)
    assert lost == (set() if has_head else {"head.weight", "head.bias"})
    assert all(torch.equal(values, network.state_dict()[name]) for name, values in start.parameters.items())
    assert ("the body of old was taken, a model of" in caplog.text) == (not has_head)
    assert start.plain["taken"] == ("all" if has_head else "body")
