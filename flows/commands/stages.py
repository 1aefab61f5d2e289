"""Verbs of the road: a new dataset, each stage alone, and all that is stale in order."""

from typing import Annotated

import typer

from flows.commands.options import (
    DatasetArgument,
    DryRunFlag,
    ForceFlag,
    JsonFlag,
    OnlyOption,
    SetOption,
    WaitFlag,
    first_line,
)
from flows.commands.work import Order, carry_out
from unet.ledger.outcome import STAGES

verbs = typer.Typer()


def _stage_verb(stage: str) -> None:
    def verb(
        dataset: DatasetArgument,
        changes: SetOption = None,
        only: OnlyOption = None,
        force: ForceFlag = False,
        dry_run: DryRunFlag = False,
        wait: WaitFlag = False,
        as_json: JsonFlag = False,
    ) -> None:
        order = Order(dataset, tuple(changes or ()), tuple(only or ()), stage, stage if force else None, wait=wait)
        carry_out(order, dry_run, as_json)

    verbs.command(stage, help=first_line(stage))(verb)


def _train_verb(
    dataset: DatasetArgument,
    changes: SetOption = None,
    force: ForceFlag = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Take in truth that came since the last training.")
    ] = False,
    dry_run: DryRunFlag = False,
    wait: WaitFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Train."""
    order = Order(dataset, tuple(changes or ()), (), "train", "train" if force or refresh else None, refresh, wait)
    carry_out(order, dry_run, as_json)


for _stage in STAGES:
    if _stage == "train":
        verbs.command(_stage, help=first_line(_stage))(_train_verb)
    else:
        _stage_verb(_stage)


@verbs.command("reprocess", help=first_line("reprocess"))
def reprocess_verb(
    dataset: DatasetArgument,
    changes: SetOption = None,
    only: OnlyOption = None,
    force: Annotated[
        str | None, typer.Option(metavar="STAGE", help="Make this stage again though it is fresh.")
    ] = None,
    dry_run: DryRunFlag = False,
    wait: WaitFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Reprocess."""
    if force is not None and force not in STAGES:
        raise ValueError(f"--force must name a stage, got {force!r}; stages are {', '.join(STAGES)}")
    carry_out(Order(dataset, tuple(changes or ()), tuple(only or ()), None, force, wait=wait), dry_run, as_json)
