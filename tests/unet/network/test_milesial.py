"""Checkpoints of milesial's networks: what is read gives what the original gives, and nothing else is read at all.

The originals stand below, written plainly from the tables of their layers: the oracle of the imported ones.
"""

import contextlib
import io
import os
import pickle
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from unet.network.milesial import read_checkpoint
from unet.network.unet import UNet
from unet.settings.architecture import Architecture

DOUBLES = {  # (in, middle, out) of inc, down1–4, up1–4, in units of the base; the image's channels are 0
    "narrow": [(0, 1, 1), (1, 2, 2), (2, 4, 4), (4, 8, 8), (8, 8, 8), (16, 4, 4), (8, 2, 2), (4, 1, 1), (2, 1, 1)],
    "half": [(0, 1, 1), (1, 2, 2), (2, 4, 4), (4, 8, 8), (8, 8, 8), (16, 8, 4), (8, 4, 2), (4, 2, 1), (2, 1, 1)],
    "full": [(0, 1, 1), (1, 2, 2), (2, 4, 4), (4, 8, 8), (8, 16, 16), (16, 8, 8), (8, 4, 4), (4, 2, 2), (2, 1, 1)],
}
UPS = {"narrow": [(8, 8), (4, 4), (2, 2), (1, 1)], "full": [(16, 8), (8, 4), (4, 2), (2, 1)]}
FAMILIES = {  # names of layers, widths, whether the convolutions have a bias, whether upsampling is bilinear
    "A bilinear": ("old", "narrow", True, True),
    "A transposed": ("old", "narrow", True, False),
    "B bilinear": ("new", "narrow", True, True),
    "B transposed": ("new", "narrow", True, False),
    "D bilinear": ("new", "half", True, True),
    "D transposed": ("new", "full", True, False),
    "E bilinear": ("new", "half", False, True),
    "E transposed": ("new", "full", False, False),
}
COUNTS = {  # (channels, classes) = (1, 1), (1, 2), (3, 1), (3, 2), at base 64
    "A bilinear": (13_394_177, 13_394_242, 13_395_329, 13_395_394),
    "A transposed": (14_787_777, 14_787_842, 14_788_929, 14_788_994),
    "B bilinear": (13_394_177, 13_394_242, 13_395_329, 13_395_394),
    "B transposed": (14_787_777, 14_787_842, 14_788_929, 14_788_994),
    "D bilinear": (17_266_241, 17_266_306, 17_267_393, 17_267_458),
    "D transposed": (31_042_369, 31_042_434, 31_043_521, 31_043_586),
    "E bilinear": (17_261_825, 17_261_890, 17_262_977, 17_263_042),
    "E transposed": (31_036_481, 31_036_546, 31_037_633, 31_037_698),
}
TENSORS = {"bilinear": {True: 128, False: 110}, "transposed": {True: 136, False: 118}}


class Row(nn.Module):
    """Named layers, one after the other."""

    def __init__(self, **layers):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, image):
        for layer in self.children():
            image = layer(image)
        return image


def double(incoming, middle, outgoing, bias):
    layers = []
    for i, o in ((incoming, middle), (middle, outgoing)):
        layers += [nn.Conv2d(i, o, 3, padding=1, bias=bias), nn.BatchNorm2d(o), nn.ReLU()]
    return nn.Sequential(*layers)


class Original(nn.Module):
    """A network of one of the families, with its own names of layers and its own way of computing."""

    def __init__(self, family, channels, classes, base):
        super().__init__()
        names, widths, bias, self.bilinear = FAMILIES[family]
        inside = "conv" if names == "old" else "double_conv"

        def block(row):
            shape = [base * width or channels for width in DOUBLES[widths][row]]
            return Row(**{inside: double(*shape, bias)})

        self.inc = Row(conv=block(0)) if names == "old" else block(0)
        for n in (1, 2, 3, 4):
            pooled = nn.Sequential(nn.MaxPool2d(2), block(n))
            self.add_module(f"down{n}", Row(**{"mpconv" if names == "old" else "maxpool_conv": pooled}))
        for n in (1, 2, 3, 4):
            up = nn.Module()
            if not self.bilinear:
                i, o = UPS[widths][n - 1]
                up.up = nn.ConvTranspose2d(base * i, base * o, 2, stride=2)
            up.conv = block(4 + n)
            self.add_module(f"up{n}", up)
        self.outc = Row(conv=nn.Conv2d(base, classes, 1))

    def forward(self, image):
        skips = [self.inc(image)]
        for down in (self.down1, self.down2, self.down3, self.down4):
            skips.append(down(skips[-1]))
        found = skips.pop()
        for up in (self.up1, self.up2, self.up3, self.up4):
            if self.bilinear:
                found = functional.interpolate(found, scale_factor=2, mode="bilinear", align_corners=True)
            else:
                found = up.up(found)
            skip = skips.pop()
            y, x = skip.shape[2] - found.shape[2], skip.shape[3] - found.shape[3]
            found = functional.pad(found, [x // 2, x - x // 2, y // 2, y - y // 2])
            found = up.conv(torch.cat([skip, found], dim=1))
        return self.outc(found)


@torch.no_grad()
def original(family, channels=3, classes=2, base=4, seed=0):
    """With random parameters, and norms that have seen something, whose scores spread over some units."""
    torch.manual_seed(seed)
    network = Original(family, channels, classes, base)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0, 0.3)
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.1, 0.5)
            module.num_batches_tracked += 7
    network.eval()
    network.outc.conv.weight /= network(torch.rand(1, channels, 48, 48)).std()
    return network


def saved(state, **options):
    stream = io.BytesIO()
    torch.save(state, stream, **options)
    return stream.getvalue()


def read(state, **options):
    return read_checkpoint(saved(state, **options), "theirs.pth")


@pytest.mark.parametrize("family", FAMILIES)
@settings(deadline=None, max_examples=15)
@given(st.tuples(st.integers(16, 70), st.integers(16, 70)), st.sampled_from([(1, 2), (3, 2), (2, 4)]))
def test_the_imported_network_gives_what_the_original_gives(family, sides, form):
    """Odd sides too where ours take them: with aligned corners."""
    theirs = original(family, *form)
    ours = read(theirs.state_dict()).network.eval()
    if not theirs.bilinear:
        sides = [side // 16 * 16 for side in sides]
    image = torch.rand(2, form[0], *sides)
    with torch.no_grad():
        expected = theirs(image)
        assert expected.std() > 0.1  # else nothing is shown
        torch.testing.assert_close(ours(image), expected, rtol=0, atol=1e-4)


@torch.no_grad()
def test_an_odd_side_that_ours_refuse_names_the_legal_ones():
    network = read(original("E transposed").state_dict()).network
    with pytest.raises(ValueError, match=r"input size 50 .*nearest legal: 48 and 64"):
        network(torch.rand(1, 3, 50, 48))


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_softmax_of_an_imported_class_is_its_sigmoid(family):
    theirs = original(family, classes=1)
    checkpoint, image = read(theirs.state_dict()), torch.rand(1, 3, 48, 64)
    scores = checkpoint.network.eval()(image)
    assert not scores[:, 0].any()
    torch.testing.assert_close(scores.softmax(dim=1)[:, 1:], theirs(image).sigmoid(), rtol=0, atol=1e-5)
    assert any("one class became two" in note for note in checkpoint.notes)


@pytest.mark.parametrize("family", FAMILIES)
def test_counts_of_parameters_and_tensors_at_full_width(family):
    """The original's are those that were published; ours have them too, but for the background of a single class."""
    with torch.device("meta"):
        for (channels, classes), count in zip(((1, 1), (1, 2), (3, 1), (3, 2)), COUNTS[family], strict=True):
            theirs = Original(family, channels, classes, 64)
            assert sum(parameter.numel() for parameter in theirs.parameters()) == count
            ours = UNet(replace(architecture_of(family), in_channels=channels, classes=max(classes, 2), base=64))
            assert sum(parameter.numel() for parameter in ours.parameters()) == count + 65 * (classes == 1)
    _, _, bias, bilinear = FAMILIES[family]
    assert len(theirs.state_dict()) == TENSORS["bilinear" if bilinear else "transposed"][bias]
    assert len(ours.state_dict()) == len(theirs.state_dict())


def architecture_of(family):
    _, widths, bias, bilinear = FAMILIES[family]
    up = "bilinear-aligned" if bilinear else "transposed"
    return Architecture(
        3, 2, 4, padding="same", norm="batch", up=up, bias=bias, narrow=widths == "narrow"
    )  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_the_family_is_found_from_the_file_alone(family):
    checkpoint = read(original(family).state_dict())
    assert checkpoint.network.architecture == architecture_of(family)
    assert checkpoint.form == {"A": "A", "B": "B", "D": "C or D", "E": "E"}[family[0]]
    said = " ".join(checkpoint.notes)
    assert ("sigmoid" in said) == (family[0] in "AB")
    assert ("seams" in said) == ("bilinear" in family)
    assert "divided by 255" in said


KEYS = {
    "A": "inc.conv.conv.0.bias down4.mpconv.1.conv.4.running_var up1.conv.conv.3.weight outc.conv.bias",
    "B": "inc.double_conv.0.bias down4.maxpool_conv.1.double_conv.4.running_var up1.conv.double_conv.3.weight "
    "outc.conv.bias",
    "E": "inc.double_conv.1.bias down1.maxpool_conv.1.double_conv.0.weight up4.conv.double_conv.1.running_mean",
}


@pytest.mark.parametrize(("family", "keys"), [("A bilinear", KEYS["A"]), ("B transposed", KEYS["B"]),
                                              ("E bilinear", KEYS["E"])])  # fmt: skip
def test_the_originals_bear_the_names_that_files_have(family, keys):
    state = original(family).state_dict()
    assert [key for key in keys.split() if key not in state] == []
    assert ("up1.up.weight" in state) == family.endswith("transposed")
    assert ("inc.double_conv.0.bias" in state) == (family[0] == "B")


def without_counters(state):
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}


@pytest.mark.parametrize(
    "change",
    [
        lambda state: {f"module.{key}": value for key, value in state.items()},
        without_counters,
        lambda state: {**state, "mask_values": [0, 1]},
        lambda state: {key: value.double() if value.is_floating_point() else value for key, value in state.items()},
        lambda state: {
            key: nn.Parameter(value) if value.is_floating_point() else value for key, value in state.items()
        },
        lambda state: {k: v.to(memory_format=torch.channels_last) if v.ndim == 4 else v for k, v in state.items()},
        lambda state: dict(reversed(state.items())),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_files_of_every_make_are_read(change, zipped):
    """Of data-parallel training, of an old PyTorch, with values of masks, and in torch's older form of file."""
    state = original("A transposed").state_dict()
    plain = read(state).network.state_dict()
    checkpoint = read(change(state), _use_new_zipfile_serialization=zipped)
    found = checkpoint.network.state_dict()
    assert list(found) == list(plain)
    for name, value in found.items():
        assert value.dtype == plain[name].dtype
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(value, plain[name])
    assert all(parameter.requires_grad for parameter in checkpoint.network.parameters())


def test_values_of_masks_are_told():
    state = original("E bilinear").state_dict()
    notes = read({**state, "mask_values": [[0, 0, 0], [255, 0, 0]]}).notes
    assert "its classes were these values in the masks: [[0, 0, 0], [255, 0, 0]]" in notes
    assert not any("masks" in note for note in read(state).notes)


def edited(family="E transposed", drop=(), **put):
    state = original(family).state_dict()
    named = {key.replace("__", "."): value for key, value in put.items()}
    return {key: value for key, value in {**state, **named}.items() if key not in drop}


@pytest.mark.parametrize(
    ("state", "error", "says"),
    [
        (edited(drop=["down3.maxpool_conv.1.double_conv.4.weight"]), LookupError,
         r"form E .*without down3\.maxpool_conv\.1\.double_conv\.4\.weight; it is of another network"),
        (edited(drop=["outc.conv.weight"]), LookupError, r"a network of milesial's .*outc\.conv\.weight, got inc\."),
        (edited(drop=["outc.conv.bias"]), LookupError, r"without outc\.conv\.bias"),
        (edited("D bilinear", drop=["up4.conv.double_conv.3.bias"]), LookupError, r"form C or D .*without up4\.conv\."),
        (edited(attention__weight=torch.zeros(1)), LookupError, r"with attention\.weight besides"),
        (edited(down5__weight=torch.zeros(1), drop=["up2.up.bias"]), LookupError,
         r"without up2\.up\.bias and with down5\.weight besides"),
        (edited(outc__conv__bias=torch.zeros(3)), LookupError, r"outc\.conv\.bias of .* the shape \(2,\), got \(3,\)"),
        (edited(up1__up__weight=torch.zeros(64, 64, 2, 2)), LookupError, r"shape \(64, 32, 2, 2\), got \(64, 64, 2"),
        (edited(inc__double_conv__0__weight=torch.zeros(4)), LookupError, "a network of milesial's"),
        (edited(inc__double_conv__0__weight=torch.zeros(4, 0, 3, 3)), LookupError, "a network of milesial's"),
        (edited(inc__double_conv__0__weight=torch.zeros(1).expand(10**9, 3, 3, 3)), ValueError, r"whole .*inc\.double"),
        (edited(inc__double_conv__1__bias=torch.tensor([0, 1, 2, float("nan")])), ValueError, "must be finite"),
        (edited(inc__double_conv__1__bias=torch.zeros(4, dtype=torch.complex64)), ValueError, "whole tensors of"),
        (edited(inc__double_conv__1__bias=torch.zeros(4).to_sparse()), ValueError, "whole tensors of numbers"),
        (edited(inc__double_conv__1__bias=torch.zeros(4, device="meta")), ValueError, "whole tensors of numbers"),
        ({"state_dict": original("E transposed").state_dict(), "epoch": 5}, ValueError, r"got state_dict, epoch; save"),
        ({"conv1.weight": torch.zeros(64, 3, 7, 7)}, LookupError, r"got conv1\.weight; it is of another network"),
        ({}, LookupError, "got none; it is of another network"),
        (torch.zeros(3), ValueError, "must hold a state_dict, got Tensor"),
        ([torch.zeros(3)], ValueError, "must hold a state_dict, got list"),
    ],
)  # fmt: skip
def test_what_is_no_such_network_is_refused(state, error, says):
    with pytest.raises(error, match=says) as refused:
        read(state)
    assert "theirs.pth" in str(refused.value)


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def as_module(evil):
    return saved({**original("E transposed").state_dict(), "mask_values": evil})


@pytest.mark.parametrize("dump", [pickle.dumps, saved, as_module,
                                  lambda evil: saved(evil, _use_new_zipfile_serialization=False)])  # fmt: skip
def test_code_in_a_checkpoint_is_not_run(dump, tmp_path):
    content = dump(Evil(str(tmp_path / "ran")))
    with pytest.raises(ValueError, match=r"theirs\.pth must be a whole checkpoint of nothing but tensors, got: "):
        read_checkpoint(content, "theirs.pth")
    assert not (tmp_path / "ran").exists()
    torch.load(io.BytesIO(content), weights_only=False) if dump is not pickle.dumps else pickle.loads(content)
    assert (tmp_path / "ran").exists()  # it would have


@pytest.mark.parametrize("zipped", [True, False])
@settings(deadline=None, max_examples=100)
@given(st.data())
def test_a_damaged_file_is_one_sentence(zipped, data):
    """Cut short anywhere, or with bytes of its head or tail changed: read, or refused in our words."""
    content = bytearray(SMALL[zipped])
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
        with pytest.raises(ValueError, match=r"theirs\.pth must"):
            read_checkpoint(bytes(content), "theirs.pth")
        return
    place = st.one_of(st.integers(0, 3000), st.integers(len(content) - 3000, len(content) - 1))
    for at in data.draw(st.lists(place, min_size=1, max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError, LookupError):
        read_checkpoint(bytes(content), "theirs.pth")


SMALL = {zipped: saved(original("E bilinear", base=1).state_dict(), _use_new_zipfile_serialization=zipped)
         for zipped in (True, False)}  # fmt: skip


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("missing", [1, 2, 9])
def test_the_last_bytes_are_missed(zipped, missing):
    with pytest.raises(ValueError, match=r"theirs\.pth must be a whole checkpoint"):
        read_checkpoint(SMALL[zipped][:-missing], "theirs.pth")


@pytest.mark.parametrize("content", [b"", b"\x80\x02", b"PK\x03\x04", b"not a checkpoint at all\n", bytes(4096)])
def test_what_is_no_checkpoint(content):
    with pytest.raises(ValueError, match=r"theirs\.pth must be a whole checkpoint of nothing but tensors, got: "):
        read_checkpoint(content, "theirs.pth")
