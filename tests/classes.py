"""Datasets of several classes by hand: a model that knows names, its scores, and truth whose ids have classes."""

from unet.ledger.contents import CLASSES
from unet.ledger.results import labels_of, model_of, scores_of
from unet.ledger.stamp import Recipe
from unet.ledger.truth_state import class_digest
from unet.store.arrays import create
from unet.store.ome import multiscales
from unet.store.shards import Level, plane_layout, regions


def put_model(dataset, names, model="net", **more):
    """A model of these classes of objects, without a network."""
    result = model_of(dataset, model)
    architecture = {"classes": len(names) + 1}
    metadata = {"architecture": architecture, "classes": ["background", *names], "channels": ["0"], **more}
    result.commit(result.begin(Recipe("train", 1, {}, {}), {}), metadata, {})


def put_scores(dataset, scores, name="a", model="net"):
    """Scores of a model for a stack, (c, …, y, x)."""
    result = scores_of(dataset, model, name)
    generation = result.begin(Recipe("predict", 1, {}, {}), {})
    axes = "c" + "tzyx"[-(scores.ndim - 1) :]
    stored = create(generation.level(0), plane_layout(scores.shape, scores.dtype.itemsize), scores.dtype, axes)
    for region in regions(stored.layout):
        stored.write(region, scores[region])
    pyramid = multiscales(generation, name, axes, [Level(scores.shape, (0, 0))], {}, {})
    result.commit(generation, {"ome": {"version": "0.5", "multiscales": pyramid}}, {"axes": axes})


def put_truth_classes(dataset, name, classes):
    """Classes of the ids of a stack's truth, as ingest keeps them: ids by name of class."""
    truth = labels_of(dataset, name, "truth")
    runs = {each: [[int(one), int(one)] for one in ids] for each, ids in classes.items()}
    generation = truth.folder / truth.committed().generation
    (generation / CLASSES).write_json(runs)
    truth.amend({"classes": list(classes), "class_digest": class_digest(generation)})
