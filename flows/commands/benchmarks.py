"""The verb that makes a paper's table again."""

import time
from typing import Annotated

import typer

from flows.commands.options import DryRunFlag, JsonFlag, WaitFlag, absolute, exit_status, first_line, note, say
from flows.commands.show import as_text, err, json_text
from flows.commands.work import server_started
from flows.planning.benchmark_plan import BenchmarkPlan, plan_benchmark
from unet.benchmarks.order import BenchmarkOrder, TrainingRecipe
from unet.benchmarks.published import Name
from unet.dataset.folder import Json

verbs = typer.Typer()


@verbs.command("reproduce", help=first_line("reproduce"))
def reproduce_verb(
    benchmark: Annotated[Name, typer.Argument(metavar="BENCHMARK", help="isbi2012, phc-u373, dic-hela or dsb2018.")],
    data: Annotated[
        str, typer.Option("--data", metavar="DIR", help="The challenge's folder; nothing is downloaded.")
    ] = "",
    to: Annotated[
        str | None, typer.Option("--to", metavar="DIR", help="Folder to work in, by default reproduce/BENCHMARK.")
    ] = None,
    recipe: Annotated[
        TrainingRecipe, typer.Option(help="How networks are trained: as in the paper, for a GPU, or as we do.")
    ] = "paper2015",
    minutes: Annotated[
        float | None, typer.Option(metavar="M", help="Minutes of each training, by default as the recipe says.")
    ] = None,
    folds: Annotated[
        str, typer.Option(metavar="N", help="How many folds, or which of them, such as 1/5 or 1,3/5.")
    ] = "",
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Settings besides.")
    ] = None,
    dry_run: DryRunFlag = False,
    wait: WaitFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Reproduce a benchmark."""
    places = data and absolute(data), absolute(to or f"reproduce/{benchmark}")
    order = BenchmarkOrder(benchmark, *places, recipe, minutes, folds, tuple(changes or ()))
    with exit_status():
        plan, began = plan_benchmark(order), time.monotonic()
        if dry_run:
            _show_plan(plan, as_json)
            return
        if plan.is_done:
            note("nothing to do: all is made and scored")
            result = (order.place / "reproduce.json").read_json() or {}
        else:
            for line in plan.lines():
                err.print(as_text(line))
            result = _call_flow(order, wait)
            note(
                f"{(time.monotonic() - began) / 60:.1f} minutes; {order.to}/reproduce.json and reproduce.md are written"
            )
    _show(order, result, as_json)


def _call_flow(order: BenchmarkOrder, wait: bool) -> Json:
    with server_started():
        from flows.reproduce import reproduce
    said = order.recipe, order.minutes, order.folds, list(order.changes) or None
    return reproduce(order.name, order.data, order.to, *said, wait)


def _show_plan(plan: BenchmarkPlan, as_json: bool) -> None:
    if as_json:
        folds = [{"name": of.fold.name, "state": of.words, "seconds": of.seconds} for of in plan.folds]
        print(json_text({"benchmark": plan.order.name, "settings": plan.order.settings(), "folds": folds}))
        return
    for line in plan.lines():
        say(line)


def _show(order: BenchmarkOrder, result: Json, as_json: bool) -> None:
    if as_json:
        print(json_text(result))
        return
    text = (order.place / "reproduce.md").read() or b""
    print(text.decode(), end="")
