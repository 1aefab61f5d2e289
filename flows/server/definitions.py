"""The deployments of a dataset, as `deployments/prefect.yaml` has them; `serve` and `deploy` read the same.

A deployment is listed under its dataset's name, `reprocess/my-dataset`, so that many datasets share a server.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from unet.sources.stack_names import safe_name

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment
    from prefect.schedules import Schedule

TAG = "unet-flows"
"""Tag of all our deployments, and of their runs."""


@dataclass(frozen=True)
class Definition:
    """One flow as a deployment, for any dataset."""

    entrypoint: str
    """Dotted name of the flow."""
    pool: str
    """Name of the work pool that its runs go to."""
    cron: str | None = None
    timezone: str = "UTC"
    variables: dict[str, Any] = field(default_factory=dict)
    """What the pool's jobs are given."""

    @property
    def flow(self) -> str:
        """Name of the flow."""
        return self.entrypoint.rpartition(".")[2]

    def deployment(
        self, name: str, dataset: str, schedules: "Sequence[Schedule] | None" = None, on_pool: bool = True
    ) -> "RunnerDeployment":
        """The deployment of a dataset; without a pool, one that a runner of its own takes."""
        from prefect.types.entrypoint import EntrypointType

        module, _, flow = self.entrypoint.rpartition(".")
        where = {"work_pool_name": self.pool, "job_variables": self.variables} if on_pool else {}
        made: RunnerDeployment = getattr(import_module(module), flow).to_deployment(
            name,
            schedules=self._schedules() if schedules is None else list(schedules),
            parameters={"dataset": dataset},
            tags=[TAG],
            paused=False,
            entrypoint_type=EntrypointType.MODULE_PATH,
            **where,
        )
        return made

    def _schedules(self) -> "list[Schedule]":
        from prefect.schedules import Cron

        return [Cron(self.cron, timezone=self.timezone)] if self.cron else []


def read_definitions() -> list[Definition]:
    """All deployments that a dataset gets."""
    values = YAML(typ="safe", pure=True).load(definitions_file().read_text("utf-8"))
    return [_definition(each) for each in values["deployments"]]


def definitions_file() -> Path:
    """`prefect.yaml`: within the package where that was built, else in the working tree it was installed from."""
    packed = Path(__file__).parent / "prefect.yaml"
    return packed if packed.exists() else Path(__file__).parents[2] / "deployments/prefect.yaml"


def names_of(datasets: Sequence[str]) -> dict[str, str]:
    """Name of each dataset's deployments: the last part of its path, more of it where two would be the same.

    >>> names_of(["/data/cells", "/data/nuclei", "s3://lab/cells"])
    {'/data/cells': 'data__cells', '/data/nuclei': 'nuclei', 's3://lab/cells': 'lab__cells'}
    """
    parts = {dataset: (dataset.partition("://")[2] or dataset).strip("/").split("/") for dataset in datasets}
    names = {dataset: safe_name(below[-1]) for dataset, below in parts.items()}
    for count in range(2, max(map(len, parts.values()), default=0) + 1):
        taken = Counter(names.values())
        longer = [dataset for dataset, name in names.items() if taken[name] > 1]
        names |= {dataset: safe_name("/".join(parts[dataset][-count:])) for dataset in longer}
    if len(set(names.values())) < len(names):
        raise ValueError(f"paths of datasets must differ, got {', '.join(names)}; rename a folder, or leave one out")
    return names


def _definition(values: dict[str, Any]) -> Definition:
    (schedule,) = values.get("schedules") or [{}]
    pool = values["work_pool"]
    return Definition(
        values["entrypoint"],
        pool["name"],
        schedule.get("cron"),
        schedule.get("timezone", "UTC"),
        pool.get("job_variables", {}),
    )
