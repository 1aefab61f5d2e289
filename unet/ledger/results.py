"""Each result of a dataset, by what it is of."""

from collections.abc import Callable

from unet.dataset.folder import Dataset, Json
from unet.ledger.generations import Result

TABLE, PAGE, PLANES = "table.parquet", "report.html", "planes.csv"
"""Files of a generation that are published."""


def image_of(dataset: Dataset, name: str) -> Result:
    """A stack's image."""
    return Result(dataset.image(name))


def labels_of(dataset: Dataset, name: str, labels: str) -> Result:
    """A stack's truth, or the segments that a model made of it."""
    is_truth = labels == "truth"
    published = () if is_truth else ((TABLE, dataset.table(labels, name)),)
    return Result(dataset.labels(name, labels), published=published, is_edited=is_truth)


def weights_of(dataset: Dataset, name: str) -> Result:
    """A stack's classes and border weights."""
    return Result(dataset.weights(name))


def model_of(dataset: Dataset, model: str) -> Result:
    """A trained or imported model."""
    return Result(dataset.model(model), "model.json")


def learnt_classes(metadata: Json) -> int:
    """Number of classes that a model has learnt, background among them; a model brought in is taken at its word.

    >>> learnt_classes({"classes": ["background", "object"], "architecture": {"classes": 4}})
    2
    """
    named: list[str] = metadata.get("classes") or []
    return len(named) or int(metadata.get("architecture", {}).get("classes", 2))


def learnt_names(metadata: Json) -> tuple[str, ...]:
    """Names of the classes of objects that a model has learnt, the first is class 1; their numbers where none is named.

    >>> learnt_names({"classes": ["background", "nucleus", "mitosis"]}), learnt_names({"architecture": {"classes": 3}})
    (('nucleus', 'mitosis'), ('1', '2'))
    """
    named: list[str] = metadata.get("classes") or []
    return tuple(named[1:]) or tuple(map(str, range(1, max(learnt_classes(metadata), 2))))


def scores_of(dataset: Dataset, model: str, name: str) -> Result:
    """The scores that a model gave a stack."""
    return Result(dataset.scores(model, name))


def report_of(dataset: Dataset, model: str) -> Result:
    """A model's report."""
    folder = dataset.report(model)
    return Result(folder, "metrics.json", tuple((name, folder / name) for name in (PAGE, PLANES)))


def result_of(dataset: Dataset, stage: str, name: str, model: str) -> Result:
    """The result that a stage makes of a stack with this model; for train, `name` is that of the model it makes."""
    makers: dict[str, Callable[[], Result]] = {
        "ingest": lambda: image_of(dataset, name),
        "weigh": lambda: weights_of(dataset, name),
        "train": lambda: model_of(dataset, name),
        "predict": lambda: scores_of(dataset, model, name),
        "segment": lambda: labels_of(dataset, name, model),
        "evaluate": lambda: report_of(dataset, model),
    }
    return makers[stage]()
