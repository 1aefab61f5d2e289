"""A network as a file that runs without this project: a `torch.export` program, ONNX, TorchScript.

The law: a file takes any batch and every legal size y x, and gives what the network gives, to 1e-4 of its largest
value. Each is read back and compared on an example before it is handed out. What a reader must know besides (channels,
normalisation, sizes) travels within the file, as JSON under the key `unet-flows`.

Images go in normalised, float32 (n, c, y, x), as `image`. Of the network itself class scores before softmax come out;
of `with_softmax(network)` class probabilities.

Rejected: a file of facts beside the program, as the two would be parted; and sizes fixed when exporting, which nothing
here needs: the one branch on a size, that it be legal, becomes a guard of the program.
"""

import copy
import io
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unet.dataset.folder import Json
from unet.network.unet import UNet
from unet.settings.architecture import Architecture

Form = Literal["bioimageio", "onnx", "torch"]
EXPORT_SUFFIXES: dict[Form, str] = {"bioimageio": ".zip", "onnx": ".onnx", "torch": ".pt2"}
"""How the files of each form end."""
ONNX = ("onnx", "onnxruntime", "onnxscript")
NEEDS: dict[Form, tuple[str, ...]] = {"bioimageio": ("bioimageio.spec", *ONNX), "onnx": ONNX, "torch": ()}
"""Packages that each form is made with; the extra that brings them is named as the form."""
OPSET = 20
"""Version of ONNX's operators: the newest that torch writes without converting."""
ABOUT_KEY = "unet-flows"
AGREEMENT = 1e-4
"""Largest difference from the network, as a share of its largest value where that is above 1."""


class LegalSizes(NamedTuple):
    """Legal sides of an image in pixels: `least`, and every `step` from there."""

    least: int
    step: int


def require_packages(form: Form) -> None:
    """Refuse a form whose packages are not installed; ImportError says how to install them."""
    missing = [name for name in NEEDS[form] if not _is_installed(name)]
    if missing:
        raise ImportError(
            f"an export as {form} must find {', '.join(NEEDS[form])}, got no {', '.join(missing)}; "
            f"run pip install 'unet-flows[{form}]'"
        )


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # the package that it is a part of
        return False


def legal_sizes(architecture: Architecture) -> LegalSizes:
    """Sides in pixels that an exported network takes.

    >>> legal_sizes(Architecture()), legal_sizes(Architecture(padding="same"))
    (LegalSizes(least=188, step=16), LegalSizes(least=32, step=16))
    """
    step = architecture.multiple
    # torch.export takes a size of 1, here at the bottom of the network, for one that never changes
    return LegalSizes(architecture.input_size(1) if architecture.padding == "valid" else 2 * step, step)


def with_softmax(network: UNet) -> nn.Module:
    """The network followed by softmax over the classes, in the mode it is in."""
    return nn.Sequential(network, nn.Softmax(dim=1)).train(network.training)


def torch_program(module: nn.Module, architecture: Architecture, example: NDArray[np.float32], about: Json) -> bytes:
    """A `torch.export` program, `.pt2`; `torch.export.load(file).module()` runs it where there is torch alone.

    Args:
        module: a network, or one with softmax, in evaluation mode on the CPU.
        architecture: the network's.
        example: normalised images (n, c, y, x) that the file is checked on.
        about: plain values that go along.
    """
    file = io.BytesIO()
    torch.export.save(_program(module, architecture), file, extra_files={ABOUT_KEY: json.dumps(about)})
    file.seek(0)
    _require_same("torch", torch.export.load(file).module()(torch.from_numpy(example)), module, example)
    return file.getvalue()


def onnx_model(module: nn.Module, architecture: Architecture, example: NDArray[np.float32], about: Json) -> bytes:
    """An ONNX model, `.onnx`, with its input `image` (n, c, y, x) and its output `scores`; as `torch_program`."""
    import onnx_ir
    import onnxruntime

    with _quiet_export():
        program = _program(module, architecture)
        made: Any = torch.onnx.export(
            program, dynamo=True, verbose=False, opset_version=OPSET, input_names=["image"], output_names=["scores"]
        )
    (image,), (scores,) = made.model.graph.inputs, made.model.graph.outputs
    image.shape = onnx_ir.Shape(["n", architecture.in_channels, "y", "x"])
    scores.shape = onnx_ir.Shape(["n", architecture.classes, "y_out", "x_out"])
    made.model.metadata_props[ABOUT_KEY] = json.dumps(about)
    content: bytes = made.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    _require_same("onnx", torch.from_numpy(session.run(None, {"image": example})[0]), module, example)
    return content


def torchscript(module: nn.Module, architecture: Architecture, example: NDArray[np.float32]) -> bytes:
    """A TorchScript program, which Java and C++ programs with libtorch read; as `torch_program`."""
    file = io.BytesIO()
    with _quiet_export(), torch.no_grad():
        torch.jit.save(torch.jit.trace(module, _traced(architecture), check_trace=False), file)
        file.seek(0)
        scores = torch.jit.load(file)(torch.from_numpy(example))
    _require_same("torchscript", scores, module, example)
    return file.getvalue()


def _program(module: nn.Module, architecture: Architecture) -> torch.export.ExportedProgram:
    """The module's graph, for any batch and every legal side, which is `step` times a number, less a remainder.

    Parameters are laid out plainly: `torch.export.save` would not know those with channels last for whole tensors.
    """
    least, step = legal_sizes(architecture)
    rest = -least % step
    y, x = (step * torch.export.Dim(name, min=(least + rest) // step) - rest for name in "yx")
    sizes = ({0: torch.export.Dim("n"), 2: y, 3: x},)
    plain = copy.deepcopy(_evaluating(module)).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return torch.export.export(plain, (_traced(architecture),), dynamic_shapes=sizes)


def _traced(architecture: Architecture) -> Tensor:
    """A batch on which a graph is recorded; no two of its sizes are alike, lest they be taken for one."""
    least, step = legal_sizes(architecture)
    return torch.zeros(2, architecture.in_channels, least + step, least + 2 * step)


def _evaluating(module: nn.Module) -> nn.Module:
    if module.training:
        raise ValueError("the network must be in evaluation mode, got training mode; call network.eval() first")
    return module


@torch.no_grad()
def _require_same(form: str, scores: Tensor, module: nn.Module, example: NDArray[np.float32]) -> None:
    """Refuse a file that does not give what the network gives."""
    expected = module(torch.from_numpy(example))
    worst = float((scores - expected).abs().max()) / max(1.0, float(expected.abs().max()))
    if not worst <= AGREEMENT:  # which NaN would pass, the other way round
        raise RuntimeError(
            f"the network as {form} must give its scores to {AGREEMENT}, got {worst:.2g}; use another form"
        )


@contextmanager
def _quiet_export() -> Iterator[None]:
    """Silence warnings meant for torch's own developers, about its deprecated parts and compared sizes.

    TorchScript is said to go; it is what Fiji's readers of models take today, and torch is bounded above.
    """
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)  # that torchvision is not installed
    try:
        with warnings.catch_warnings():
            for kind in (DeprecationWarning, FutureWarning, torch.jit.TracerWarning):  # type: ignore[attr-defined]
                warnings.simplefilter("ignore", kind)
            yield
    finally:
        log.setLevel(before)
