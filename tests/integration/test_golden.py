"""What each stage's pure function gives for one small input, pinned by its record's VERSION.

Where this fails, the output of a function changed for the same input. Then results in people's datasets are stale, and
only the VERSION tells: bump it, and pin the new output under the new number. Where a change should not have moved a
number, mend the change instead.
"""

import hashlib

import numpy as np
import pytest
import torch

from unet.evaluation.contingency import contingency
from unet.evaluation.metrics import METRICS
from unet.evaluation.object_errors import object_errors
from unet.images.normalisation import Gathering, normalise
from unet.images.planes import Plane
from unet.labels.connected import connected_segments
from unet.labels.declumping import Declumping, part_clump
from unet.labels.measures import measure_block
from unet.network.inference import predict_image, quantised
from unet.network.unet import UNet
from unet.settings import record
from unet.settings.architecture import Architecture
from unet.settings.record import Record
from unet.settings.train import Training
from unet.settings.weigh import Weigh
from unet.store.pyramid import average, halve
from unet.training.train import TrainingPlane, train
from unet.weight_maps.border_weights import weigh_block


def discs():
    """Ids of touching discs in 2 × 64 × 64 pixels; plain integers, the same with every library."""
    z, y, x = np.indices((2, 64, 64))
    centres = [(14, 14), (16, 37), (40, 20), (44, 46), (60, 62)]
    far = np.stack([(y - cy - 2 * z) ** 2 + (x - cx) ** 2 for cy, cx in centres])
    return np.where(far.min(axis=0) < 13**2, far.argmin(axis=0) + 1, 0).astype(np.uint16)


def glow(truth):
    """Bright discs with a texture that is no smooth one."""
    z, y, x = np.indices(truth.shape)
    return ((truth > 0) * 700 + (37 * y + 91 * x * x + 13 * z) % 256 * 3 + 5 * y).astype(np.uint16)


TRUTH = discs()
IMAGE = glow(TRUTH)
EVALUATED = """
0.28571 0.12321 0.31658 0.48364 0.78 0.96683 0.74181 0.91637 0.62311 0.77512 0.86255 0.70379 0.5653 0.50332 0.6447
0.38191 0.7864 0.4347 0.84164 0.72658 0.14819 0.15836 0.07495 0.16667 0.05 0.18178 0.35368 0.7 1.11614 0.47146
0.55316 0.41078 0.30881 0.56944 0.52854 0.85232 0.74264 0.15123 0.14768 1 0 0 4 0
"""
"""Each metric of a plane, each of a volume that was judged in part, and what became of its objects."""
PINNED: dict[tuple[str, int], list[object]] = {
    ("ingest", 1): [79.0, 1723.0, 0.0, 1753.0, 917.38, 426.0, "94906ee49a75"],
    ("ingest", 2): [79.0, 1723.0, 0.0, 1753.0, 917.38, 426.0, 992.867, 187.444, 992.867, 999.318, 1.0, "9501c0f57aca"],
    ("weigh", 1): ["ea2ac4291a7e", 5541.1, 9.802, 6619.5],
    ("weigh", 2): ["ea2ac4291a7e", 5541.23, 9.802, 6619.65, 29143.4, "b836940b2179"],
    ("train", 1): [0.91459, 2.4647, 1.3423, 1.7178],
    ("train", 2): [1.43165, 1.34502, 2.28138, 1.70042],
    ("train", 3): [1.43856, 2.17638, 1.95827, 1.91076],
    ("predict", 1): [0.55156, 0.016692, 0.54671, 0.56209, 0.55316, 0.5663, 0.55621, 140.64],
    ("predict", 2): [0.5515628, 0.0166919, 0.5467138, 0.5620853, 0.5531597, 0.5663035, 0.5562107, 140.644775],
    ("segment", 1): ["8eeeab85b545", "4ddf610f7047"],
    ("segment", 2): ["8eeeab85b545", "4ddf610f7047", "281bf8ef1c31", "3f50be734cd4"],
    ("segment", 3): ["8eeeab85b545", "4ddf610f7047", "281bf8ef1c31", "3f50be734cd4", "c943445b2d69"],
    ("segment", 4): ["8eeeab85b545", "4ddf610f7047", "281bf8ef1c31", "3f50be734cd4", "c943445b2d69", 183958081.5],
    ("evaluate", 1): [0.28571, 0.48364, 0.5653, 0.72658, 0.14819],
    ("evaluate", 2): [*map(float, EVALUATED.split())],
}


def digest(*arrays):
    """Twelve hex digits of the arrays' types, shapes and bytes."""
    whole = hashlib.blake2b(digest_size=6)
    for array in arrays:
        whole.update(f"{array.dtype.str} {array.shape}".encode())
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()


def statistics():
    gathering = Gathering()
    for plane in IMAGE:
        gathering.add(plane)
    return gathering.finish(1.0, 99.8)


def network():
    """A network whose parameters are computed, and thus the same with every torch."""
    made = UNet(Architecture(base=4, depth=2, padding="same")).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(0.2 * torch.sin(torch.arange(parameter.numel()) ** 1.5).reshape(parameter.shape))
    return made


def ingest():
    kept = statistics()
    return [*vars(kept).values(), digest(average(IMAGE), *(halve(TRUTH, taken) for taken in ((0, 0), (1, 0), (1, 1))))]


def weigh():
    classes, border = weigh_block(TRUTH, Weigh(), (2.0, 1.0, 1.0))
    solid, border3 = weigh_block(TRUTH, Weigh(dimensions=3), (2.0, 1.0, 1.0))
    falk = Record.read({"weigh": {"preset": "falk2019"}}).weigh
    parted, beside = weigh_block(TRUTH, falk, (2.0, 1.0, 1.0), ignore=int(TRUTH.max()))
    figures = [float(border.sum()), float(border.max()), float(border3.sum()), float(beside.sum())]
    return [digest(classes, solid), *figures, digest(parted)]


def trained():
    classes, border = weigh_block(TRUTH, Weigh(), (2.0, 1.0, 1.0))
    frames = [
        TrainingPlane(*(Plane(layer[z], ((),)) for layer in (IMAGE, classes, border)), [statistics()])
        for z in range(len(IMAGE))
    ]
    training = Training(
        Architecture(base=4, depth=1, padding="same"),
        tile_size=32,
        batch_size=2,
        precision="float32",
        dice_weight=1.0,
        steps=3,
        validate_every=3,
        device="cpu",
    )
    history = train(frames[:1], frames[1:], [0.5, 1.5], training).history
    return [step.loss for step in history] + [history[-1].validation_loss]


def predict():
    scores = predict_image(network(), normalise(IMAGE[:1], [statistics()]), 32)
    return [
        float(scores.mean()),
        float(scores.std()),
        *scores[0, 20, ::13].tolist(),
        float(quantised(torch.from_numpy(scores), torch.uint8).float().mean()),
    ]


def segment():
    mask = np.percentile(IMAGE, 60) < IMAGE
    found = [connected_segments(mask, dimensions, "faces", 16) for dimensions in (2, 3)]
    measures = measure_block(found[1], IMAGE[None], None)
    filled = connected_segments(mask, 2, "faces", 16, max_hole_size=64)
    parts = part_clump(TRUTH[0] > 0, Declumping(2))
    by_scores = part_clump(TRUTH[0] > 0, Declumping(1, "both"), (IMAGE[0] / IMAGE.max()).astype(np.float32))
    sums = digest(measures.ids, measures.count, measures.place, measures.total)
    return [digest(*found), sums, digest(filled), digest(parts), digest(by_scores), float(measures.squares.mean())]


def evaluate():
    mask, judged = np.percentile(IMAGE, 60) < IMAGE, np.broadcast_to(np.arange(64) > 7, TRUTH.shape)
    segments, solid = (connected_segments(mask, dimensions, "faces", 16) for dimensions in (2, 3))
    table = contingency(TRUTH, solid, judged)
    of_plane = [metric.value(TRUTH[0], segments[0]) for metric in METRICS.values()]
    of_volume = [metric.of_table(table) for metric in METRICS.values() if metric.reads == "table"]
    return [*of_plane, *of_volume, *object_errors(table).counts().values()]


STAGES = {
    "ingest": ingest,
    "weigh": weigh,
    "train": trained,
    "predict": predict,
    "segment": segment,
    "evaluate": evaluate,
}


@pytest.mark.parametrize("stage", STAGES)
def test_the_output_of_a_version_never_changes(stage):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found, version = STAGES[stage](), getattr(record, stage.capitalize()).VERSION
    torch.set_num_threads(threads)
    assert (stage, version) in PINNED, f"pin the output of {stage}, version {version}: {found}"
    kind = stage.capitalize()
    hint = f"the output of {stage} changed: bump {kind}.VERSION in unet/settings/{stage}.py, and pin it here: {found}"
    assert len(found) == len(PINNED[stage, version]), hint
    for value, pinned in zip(found, PINNED[stage, version], strict=True):
        assert value == (
            pinned if isinstance(pinned, str) else pytest.approx(pinned, rel=1e-3, abs=1e-4, nan_ok=True)
        ), hint
