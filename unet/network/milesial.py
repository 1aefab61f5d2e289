"""Checkpoints of milesial's Pytorch-UNet, of every form since 2017 → our network, and what the file does not tell.

| form | until      | 3 × 3 convolutions | bottom, `bilinear` | bottom, `transposed` | here                     |
|------|------------|--------------------|--------------------|----------------------|--------------------------|
| A    | 2019-10    | with bias          | 8·base             | 8·base               | `bias=True, narrow=True` |
| B    | 2020-03-30 | with bias          | 8·base             | 8·base               | `bias=True, narrow=True` |
| C, D | 2021-12-13 | with bias          | 8·base             | 16·base              | `bias=True`              |
| E    | –          | without            | 8·base             | 16·base              | the defaults             |

All are padded and have batch norm; A differs from B by the names of its layers alone. The law: the imported network's
scores are the original's, for images of every side that it takes (`Architecture.output_size`).

A network of one class gives one score z, of which a sigmoid makes the probability. Ours have two classes or more: it
becomes the network of the scores (0, z), and softmax of these is (1 − sigmoid(z), sigmoid(z)).
"""

import reprlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from unet.network.torch_files import read_torch
from unet.network.unet import UNet
from unet.settings.architecture import Architecture

DEPTH = 4
LAST_LAYER = "outc.conv"
COUNTER = "num_batches_tracked"
"""A batch norm's count of what it has seen; prediction does not use it, and files older than PyTorch 0.4.1 lack it."""


@dataclass(frozen=True)
class Checkpoint:
    """Content of a checkpoint file: the network, its form, and notes that a person should read before relying on it."""

    network: UNet
    form: str
    notes: tuple[str, ...]


def read_checkpoint(content: bytes, file: str) -> Checkpoint:
    """The network in the bytes of a `.pth`; nothing in them is run.

    Raises:
        ValueError: `file` is damaged, or holds something else than tensors.
        LookupError: its tensors are those of another network.
    """
    tensors, values = _read(content, file)
    old = any(".mpconv." in key for key in tensors)
    single = _is_single(tensors)
    tensors = _with_background(tensors) if single else tensors
    architecture = _architecture(tensors, old, file)
    with torch.device("meta"):  # no memory is taken for what a file only says
        network = UNet(architecture)
    network.load_state_dict(_ours(tensors, network, old, file), assign=True)
    form = _form(architecture, old)
    return Checkpoint(network, form, tuple(_notes(architecture, form, single, values)))


def _read(content: bytes, file: str) -> tuple[dict[str, Tensor], object]:
    """Tensors by key, without the prefix of data-parallel training; and the values of the masks, if they are there."""
    try:
        found = read_torch(content)
    except ValueError as error:
        raise ValueError(
            f"{file} must be a whole checkpoint of nothing but tensors, got: {error}; copy it again, "
            "or save its state_dict alone with torch.save"
        ) from error
    if not isinstance(found, Mapping):
        raise ValueError(f"{file} must hold a state_dict, got {type(found).__name__}; save the network's state_dict()")
    entries = {str(key).removeprefix("module."): value for key, value in found.items()}
    values = entries.pop("mask_values", None)
    odd = [key for key, value in entries.items() if not _is_whole(value)]
    if odd:
        raise ValueError(
            f"{file} must hold whole tensors of numbers alone, got {_listed(odd)}; save the network's state_dict()"
        )
    return {key: value.detach() for key, value in entries.items()}, values


def _is_whole(value: object) -> bool:
    """Whether this tensor stores each of its numbers; a tensor that repeats a few could ask for any memory."""
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.device.type != "cpu":
        return False
    return not value.is_complex() and value.numel() * value.element_size() <= value.untyped_storage().nbytes()


def _is_single(tensors: Mapping[str, Tensor]) -> bool:
    """Whether the network gives one score a pixel."""
    weight, bias = (tensors.get(f"{LAST_LAYER}.{name}") for name in ("weight", "bias"))
    return weight is not None and bias is not None and len(weight.shape) == 4 and len(weight) == bias.numel() == 1


def _with_background(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a network of one class, with a background before it whose score is 0."""
    head = {name: tensors[name] for name in (f"{LAST_LAYER}.weight", f"{LAST_LAYER}.bias")}
    return {**tensors, **{name: torch.cat([torch.zeros_like(value), value]) for name, value in head.items()}}


def _architecture(tensors: Mapping[str, Tensor], old: bool, file: str) -> Architecture:
    """The network that a few shapes tell of; whether the others agree is for `_ours` to see."""
    block = "conv" if old else "double_conv"
    telling = (f"inc.{'conv.' if old else ''}{block}.0.weight", f"up1.conv.{block}.0.weight", f"{LAST_LAYER}.weight")
    shapes = [tuple(tensors[key].shape) if key in tensors else () for key in telling]
    if any(len(shape) != 4 or not all(shape) for shape in shapes):
        raise LookupError(
            f"{file} must hold a network of milesial's Pytorch-UNet, with {', '.join(telling)}, "
            f"got {_listed(tensors)}; it is of another network"
        )
    (base, channels, *_), (middle, *_), (classes, *_) = shapes
    return Architecture(
        in_channels=channels,
        classes=classes,
        base=base,
        depth=DEPTH,
        padding="same",
        norm="batch",
        up="transposed" if "up1.up.weight" in tensors else "bilinear-aligned",
        bias=telling[0].replace("weight", "bias") in tensors,
        narrow=middle == 4 * base,
    )


def _ours(tensors: Mapping[str, Tensor], network: UNet, old: bool, file: str) -> dict[str, Tensor]:
    """The tensors by our names; LookupError names tensors that are missing, too many, or of another shape."""
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    theirs = {name: _their_name(name, old) for name in shapes}
    missing = [key for key in theirs.values() if key not in tensors and not key.endswith(COUNTER)]
    extra = sorted({*tensors} - {*theirs.values()})
    if missing or extra:
        words = [f"without {_listed(missing)}"] * bool(missing) + [f"with {_listed(extra)} besides"] * bool(extra)
        form = _form(network.architecture, old)
        raise LookupError(
            f"{file} must hold just the tensors of form {form} of milesial's Pytorch-UNet, got a file "
            f"{' and '.join(words)}; it is of another network"
        )
    present = {name: tensors[key] for name, key in theirs.items() if key in tensors}
    for name, tensor in present.items():
        _require_sound(tensor, shapes[name], f"{theirs[name]} of {file}")
    none = torch.zeros((), dtype=torch.int64)
    kept = {name: tensor.long() if name.endswith(COUNTER) else tensor.float() for name, tensor in present.items()}
    return {name: kept.get(name, none) for name in shapes}


def _their_name(ours: str, old: bool) -> str:
    """Name of a parameter in the original's checkpoints.

    >>> _their_name("down.2.0.weight", True), _their_name("merge.0.3.bias", False), _their_name("head.bias", False)
    ('down2.mpconv.1.conv.0.weight', 'up1.conv.double_conv.3.bias', 'outc.conv.bias')
    """
    part, rest = ours.split(".", 1)
    if part == "head":
        return f"{LAST_LAYER}.{rest}"
    index, rest = rest.split(".", 1)
    block = "conv" if old else "double_conv"
    if part == "down" and index == "0":
        return f"inc.{'conv.' if old else ''}{block}.{rest}"
    pooled = "mpconv" if old else "maxpool_conv"
    inside = {"down": f"down{index}.{pooled}.1.{block}", "up": f"up{int(index) + 1}.up"}
    return f"{inside.get(part, f'up{int(index) + 1}.conv.{block}')}.{rest}"


def _require_sound(tensor: Tensor, shape: tuple[int, ...], what: str) -> None:
    """Refuse a tensor of another shape, or with values that are no numbers."""
    if tuple(tensor.shape) != shape:
        raise LookupError(f"{what} must have the shape {shape}, got {tuple(tensor.shape)}; it is of another network")
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{what} must be finite, got NaN or infinity: its training diverged; take another checkpoint")


def _form(architecture: Architecture, old: bool) -> str:
    if old:
        return "A"
    return "B" if architecture.narrow else "C or D" if architecture.bias else "E"


def _notes(architecture: Architecture, form: str, single: bool, values: object) -> list[str]:
    """Notes that a person should read about an imported network, a sentence each."""
    notes = [
        f"form {form} of milesial's Pytorch-UNet, {architecture.up}, base {architecture.base}",
        "images are divided by 255, whatever their brightness, and must be 8-bit; the original divides those alone of "
        "which a pixel exceeds 1",
        "the file does not tell the scale of the images it was trained on (`scale`, often 0.5): give images like those",
        "images are mirrored at their edges, where the original sees zeros: scores differ within "
        f"{architecture.context} px of them",
    ]
    if not architecture.tileable:
        notes.append(
            "align_corners=True makes scores depend on the tile's size: tiles are of one fixed size, with seams"
        )
    if form in "AB":
        notes.append(
            "the file does not tell whether its network ended in a sigmoid, as it did from 2018-11-10 to 2019-10-24; "
            + ("here a sigmoid makes the scores" if single else "here softmax makes the scores")
        )
    if single:
        notes.append("its one class became two, background first; the scores of the second are its sigmoid's")
    if values is not None:
        notes.append(f"its classes were these values in the masks: {reprlib.repr(values)[:80]}")
    return notes


def _listed(keys: Collection[str]) -> str:
    """The first of some keys, in words.

    >>> _listed("abcdefg")
    'a, b, c, d, e and 2 more'
    """
    first, *more = [", ".join(list(keys)[:5]) or "none", *list(keys)[5:]]
    return first + (f" and {len(more)} more" if more else "")
