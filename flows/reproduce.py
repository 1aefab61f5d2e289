"""The flow of a paper's benchmark: each fold a dataset, all stages on it, and its tested part scored."""

from prefect import flow

from flows.planning.benchmark_plan import BenchmarkPlan, plan_benchmark
from flows.reprocess import reprocess
from tasks.benchmark import prepare_fold, score_fold, write_table
from unet.benchmarks.order import BenchmarkOrder, TrainingRecipe
from unet.benchmarks.published import Name
from unet.dataset.folder import Json
from unet.dataset.lease import lease


def _run_name() -> str:
    """Name of a flow run: what is reproduced."""
    from prefect.runtime import flow_run

    return f"reproduce {flow_run.parameters['benchmark']}"


@flow(flow_run_name=_run_name)
def reproduce(  # noqa: PLR0913, PLR0917  # what a person may say
    benchmark: Name,
    data: str,
    to: str,
    recipe: TrainingRecipe = "paper2015",
    minutes: float | None = None,
    folds: str = "",
    changes: list[str] | None = None,
    wait: bool = False,
) -> Json:
    """Make a paper's table from the challenge's own folder, and say how far ours is from what was published.

    What was made before, by a run that was killed too, is taken on.

    Args:
        benchmark: which: isbi2012, phc-u373, dic-hela or dsb2018.
        data: the challenge's folder, as it offers it.
        to: the folder that all is made in: a dataset a fold, and the table.
        recipe: how the networks are trained, paper2015 or default.
        minutes: that each training may take; none = as the recipe says.
        folds: which folds, a number such as 5, or 1,3/5 for some of them; "" = all that the benchmark has.
        changes: settings besides, such as train.steps=500.
        wait: for another run in that folder, instead of leaving.
    """
    order = BenchmarkOrder(benchmark, data, to, recipe, minutes, folds, tuple(changes or ()))
    plan = plan_benchmark(order)
    (order.place / "order.json").write_json({"benchmark": order.name, "data": order.data})
    with lease(order.place, "reproduce", wait):
        return _make(plan_benchmark(order) if wait else plan)


def _make(plan: BenchmarkPlan) -> Json:
    """All folds in turn, each scored before the next is trained, so that a run that ends early leaves their table.

    The files of all are read first: one that is damaged is told before hours of training, not between two of them.
    """
    order, result = plan.order, Json()
    for of in plan.folds:
        if not of.is_prepared:
            prepare_fold(order, plan.units, of.fold)
    for number, of in enumerate(plan.folds, 1):
        if not of.is_prepared or of.pending:
            reprocess(order.dataset(of.fold).url)
        if order.counted(of.fold) is None:
            score_fold(order, plan.units, of.fold)
        result = write_table(order, [of.fold for of in plan.folds[:number]])
    return result
