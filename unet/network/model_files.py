"""Models on disk: parameters as safetensors below a generation, everything else in `model.json`.

Nothing that came as data is run: safetensors holds tensors and no code, and of a `.pth` tensors alone are read.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache

import safetensors.torch
import torch
from pydantic import TypeAdapter
from torch import Tensor

from unet.dataset.folder import Dataset, Folder, Json
from unet.formats.stack import RGB
from unet.images.grey_values import DIVIDE
from unet.ledger.generations import Generation, Result
from unet.ledger.results import model_of
from unet.ledger.seen_images import KEY as SEEN
from unet.ledger.seen_images import SeenImages
from unet.ledger.stamp import Recipe, Stamp, digest
from unet.network.inference import PRECISIONS, ready_to_predict
from unet.network.milesial import read_checkpoint
from unet.network.numeric_plan import Precision
from unet.network.unet import UNet
from unet.settings.architecture import Architecture
from unet.settings.classes import BACKGROUND, check_names
from unet.sources.stack_names import shortened

PARAMETERS = "model.safetensors"
CHECKPOINTS = (".pth", ".pt")
"""How files end that hold a network of milesial's Pytorch-UNet."""


@dataclass(frozen=True)
class Model:
    """A network with what it needs to be used: channels by name, and the rule its images were normalised by."""

    network: UNet
    channels: tuple[str, ...]
    normalisation: Json
    pixel_size: Json | None = None
    """Of the images it was trained on: `y`, `x` and their `unit`; None where that is not known."""


def save(result: Result, generation: Generation, model: Model, record: Json, facts: Json) -> Stamp:
    """Write a model below its generation, then `model.json`; `record` is how it was trained."""
    parameters = {k: v.contiguous().cpu() for k, v in model.network.state_dict().items()}
    content = safetensors.torch.save(parameters)
    (generation.folder / PARAMETERS).write(content)
    predicting = {
        "architecture": asdict(model.network.architecture),
        "channels": list(model.channels),
        "normalisation": model.normalisation,
        "pixel_size": model.pixel_size,
    }
    identity = digest([hashlib.blake2b(content, digest_size=6).hexdigest(), predicting])
    return result.commit(generation, {**predicting, **record}, {**facts, "identity": identity})


def load(dataset: Dataset, name: str) -> Model:
    """A model of the dataset; LookupError where there is none or it is damaged."""
    result, generation = model_of(dataset, name), _committed(dataset, name).generation
    return _load(result.attributes(), result.folder / generation)


def model_identity(dataset: Dataset, name: str) -> str:
    """What stands for a committed model; LookupError that says which models there are where it is none."""
    return _committed(dataset, name).identity


def _committed(dataset: Dataset, name: str) -> Stamp:
    stamp = model_of(dataset, name).stamp()
    if stamp is None:
        known = ", ".join(dataset.members("models")) or "none"
        raise LookupError(
            f"model {name!r} must be in {dataset.url}/models, got {known}; run `unet-flows train`, or `import` one"
        )
    return stamp


@lru_cache(maxsize=2)
def ready_model(dataset: Dataset, name: str, identity: str, device: str, precision: Precision) -> Model:
    """A model ready to predict on a device; each process loads and prepares it once, and nothing changes it.

    `identity` tells apart what bears one name; two are kept, for those who compare models in turns.
    """
    model = load(dataset, name)
    network = ready_to_predict(model.network, torch.device(device), PRECISIONS[precision])
    return replace(model, network=network)


def load_model(path: str, name: str = "unet") -> Model:
    """A model of the dataset at `path`, on the CPU and in evaluation mode; LookupError where there is none.

    `model.network` goes into `predict_image`, its images through `normalise_image(image, rule=model.normalisation)`.
    """
    return load(Dataset(str(path)), name)


def bring_in(dataset: Dataset, source: Folder, name: str, classes: Sequence[str] | None = None) -> Stamp:
    """Copy a model from a folder or a checkpoint into the dataset, under a new name, after loading it.

    What a person should know of it stands in the stamp's facts, as `notes`. `classes` are names of its classes of
    objects, the first of class 1; by default it keeps those it has.
    """
    if model_of(dataset, name).stamp() is not None:
        raise ValueError(f"a new name is needed, got {name!r}, which is a model here already; choose another with --as")
    if source.name.lower().endswith(CHECKPOINTS):
        return _bring_in_checkpoint(dataset, source, name, classes)
    came = Result(source, "model.json")
    stamp = came.stamp()
    if stamp is None:
        raise LookupError(
            f"{source.url} must be a model folder with a model.json, got none; give models/MODEL of a dataset, or a "
            "checkpoint that ends in .pth or .pt"
        )
    model = _load(came.attributes(), source / stamp.generation)
    result = model_of(dataset, name)
    kept = {k: v for k, v in came.attributes().items() if k not in ("unet-flows", "split")}
    kept |= _named_classes(classes, model.network.architecture.classes)
    kept[SEEN] = SeenImages.of(came.attributes(), stamp).plain()
    return save(result, result.begin(stamp.recipe, stamp.plan), model, {**kept, "came_from": source.url}, stamp.facts)


def _named_classes(classes: Sequence[str] | None, learnt: int) -> Json:
    """Names of the classes as `model.json` has them; nothing where none are given."""
    if classes is None:
        return {}
    check_names(tuple(classes))
    if len(classes) != learnt - 1:
        raise ValueError(
            f"--classes must be {learnt - 1} names, one of each class of objects that the model has learnt, got "
            f"{len(classes)}: {', '.join(classes)}; background is not among them"
        )
    return {"classes": [BACKGROUND, *classes]}


def _bring_in_checkpoint(dataset: Dataset, file: Folder, name: str, classes: Sequence[str] | None) -> Stamp:
    """The network of a checkpoint in our form; `model.json` keeps the file's digest and what the file does not tell."""
    content = file.read()
    if content is None:
        raise LookupError(f"{file.url} must be a checkpoint, got no file; give the path of a .pth")
    checkpoint, sha256 = read_checkpoint(content, file.url), hashlib.sha256(content).hexdigest()
    channels = checkpoint.network.architecture.in_channels
    named = RGB if channels == len(RGB) else tuple(map(str, range(channels)))
    record: Json = {"came_from": file.url, "sha256": sha256, "notes": list(checkpoint.notes)}
    record |= _named_classes(classes, checkpoint.network.architecture.classes)
    result = model_of(dataset, name)
    generation = result.begin(Recipe("import", 1, {}, {"checkpoint": sha256}), {})
    model = Model(checkpoint.network, named, {"rule": DIVIDE, "by": 255})
    return save(result, generation, model, record, {"notes": list(checkpoint.notes)})


def _load(metadata: Json, folder: Folder) -> Model:
    """The model of its metadata and its parameters."""
    content = (folder / PARAMETERS).read()
    if content is None:
        raise LookupError(
            f"{folder.url}/{PARAMETERS} must be there, got nothing: the model was copied in part; copy it again"
        )
    try:
        parameters = safetensors.torch.load(content)
        architecture = TypeAdapter(Architecture).validate_python(metadata["architecture"])
        _require_size(parameters, architecture)
        _require_finite(parameters)
        network = UNet(architecture)
        network.load_state_dict(parameters)
        network.eval()
        return Model(network, tuple(metadata["channels"]), metadata["normalisation"], metadata.get("pixel_size"))
    except (KeyError, TypeError, ValueError, RuntimeError, safetensors.SafetensorError) as error:
        said = " ".join(str(error).split())[:300]
        raise LookupError(f"{folder.url}/{PARAMETERS} must fit its model.json, got {said}; copy it again") from error


def _require_size(parameters: Mapping[str, Tensor], architecture: Architecture) -> None:
    """Refuse parameters of another size before a network is built: damaged metadata could ask for any memory."""
    (classes, base), channels = parameters["head.weight"].shape[:2], parameters["down.0.0.weight"].shape[1]
    depth = len({name.split(".")[1] for name in parameters if name.startswith("merge.")})
    found = replace(architecture, in_channels=channels, classes=classes, base=base, depth=depth)
    if found != architecture:
        raise ValueError(f"parameters of {found} for {architecture}")


def _require_finite(parameters: Mapping[str, Tensor]) -> None:
    """Refuse values that are no numbers: every score would be none, and every segment missing."""
    wrong = [name for name, tensor in parameters.items() if not torch.isfinite(tensor).all()]
    if wrong:
        raise ValueError(f"NaN or infinity in {shortened(wrong, 3)}: its training diverged, or it is damaged")


def channel_indices(wanted: Sequence[str], present: Sequence[str], stack: str) -> tuple[int, ...]:
    """Positions of the model's channels in a stack, by name; ValueError names both where one is missing."""
    present = list(present)
    if len(wanted) == len(present) == 1:
        return (0,)
    missing = [name for name in wanted if name not in present]
    if missing:
        raise ValueError(f"{stack} must have the model's channels {', '.join(wanted)}, got {', '.join(present)}")
    return tuple(present.index(name) for name in wanted)
