"""Verbs that keep things going: new stacks, schedules, a server of one's own or one there is."""

import json
import os
import time
from datetime import timedelta
from typing import Annotated

import typer

from flows.commands.options import (
    DatasetArgument,
    DatasetsArgument,
    JsonFlag,
    absolute,
    exit_status,
    first_line,
    note,
    say,
)
from flows.commands.show import as_text, err, out
from flows.commands.work import Order, carry_out
from flows.server import address as server
from unet.dataset.folder import Dataset
from unet.dataset.record_file import read_record
from unet.settings.validation import require_plain

verbs = typer.Typer()
NotifyOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL", envvar="UNET_FLOWS_NOTIFY", show_envvar=True, help="Web hook that is told what goes wrong."
    ),
]


@verbs.command("watch", help=first_line("watch"))
def watch_verb(
    dataset: DatasetArgument,
    every: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="Time between two looks.")] = 60,
    once: Annotated[
        bool, typer.Option("--once", help="Look once, for cron: a later look takes what is quiet.")
    ] = False,
) -> None:
    """Watch."""
    place = Dataset(dataset)
    read_record(place)
    if once:
        _take_arrivals(place)
        return
    say(f"looking every {every:g} s; Ctrl-C ends it")
    while True:
        try:
            _take_arrivals(place)
        except typer.Exit:  # it was told, and the others go on
            pass
        except Exception as error:  # a share that is away comes back, a record is mended
            note(str(error))
        time.sleep(every)


def _take_arrivals(place: Dataset) -> None:
    """One look; what is ready is taken."""
    from flows.planning.arrivals import look_at_sources, mark_taken

    arrivals = look_at_sources(place, read_record(place))
    for line in arrivals.lines():
        err.print(as_text(line))
    if not arrivals.ready:
        return
    try:
        carry_out(Order(place.url, only=arrivals.ready, tried=arrivals.changes))
    except typer.Exit as end:
        from tasks.execution.outcomes import SetAside

        if end.__cause__ is None or isinstance(end.__cause__, SetAside):  # else the world failed: the next look tries
            mark_taken(place, arrivals)
        raise
    mark_taken(place, arrivals)


@verbs.command(help=first_line("server.serve"))
def serve(
    datasets: DatasetsArgument,
    port: Annotated[int, typer.Option(help="Port of the server.")] = 4200,
    host: Annotated[str, typer.Option(help="Address it listens at; 0.0.0.0: all of this machine.")] = "127.0.0.1",
    name: Annotated[
        list[str] | None, typer.Option(metavar="HOST", help="Another name of this machine in browsers.")
    ] = None,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Ask nobody for a password: whoever reaches it may do everything.")
    ] = False,
    cron: Annotated[str, typer.Option(help="When reprocess runs by itself.")] = "0 2 * * *",
    watch: Annotated[float, typer.Option(min=0, metavar="MINUTES", help="Time between two looks; 0: none.")] = 5,
    notify: NotifyOption = None,
) -> None:
    """Serve."""
    for dataset in datasets:
        read_record(Dataset(dataset))
    from flows.server.serve import Service
    from flows.server.serve import serve as run_server

    with exit_status():
        wanted = Service(
            tuple(map(absolute, datasets)), port, host, cron, watch, notify, tuple(name or ()), not no_auth
        )
        run_server(wanted, say)


@verbs.command(help="Put deployments, work pools and automations of datasets onto a Prefect server there is.")
def deploy(
    datasets: DatasetsArgument,
    address: Annotated[
        str | None, typer.Option("--server", metavar="URL", help="Its API; default: PREFECT_API_URL.")
    ] = None,
    notify: NotifyOption = None,
    late: Annotated[float, typer.Option(metavar="MINUTES", help="Wait of a scheduled run that is told of.")] = 30,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be put there.")] = False,
) -> None:
    """Deploy."""
    if address:
        require_plain("--server", address)
        os.environ["PREFECT_API_URL"] = f"{address.rstrip('/').removesuffix('/api')}/api"
    where = server.configure()
    if where.startswith("an "):
        raise LookupError("a Prefect server must be named, got none; say --server URL, or set PREFECT_API_URL")
    from flows.server.deploy import Deploy
    from flows.server.deploy import deploy as put

    wanted = Deploy(list(map(absolute, datasets)), where, notify, timedelta(minutes=late))
    if dry_run:
        for line in wanted.lines():
            say(line)
        return
    with exit_status():
        server.require_access()
        put(wanted, say)


@verbs.command(
    help="Call runs crashed that nobody runs any more, such as a killed worker's: they hold places in queues."
)
def unstick(
    minutes: Annotated[float, typer.Option(min=5, help="Silence that makes a run one that nobody runs.")] = 15,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which, and leave them.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Free the places of runs that nobody runs."""
    if server.configure().startswith("an "):
        raise LookupError(
            "a Prefect server must be running, got none; set PREFECT_API_URL, or start `unet-flows serve`"
        )
    from flows.server.unstick import unstick as call_crashed

    with exit_status():
        server.require_access()
        stuck = call_crashed(minutes, dry_run)
    if as_json:
        print(json.dumps([vars(run) for run in stuck]))
        return
    for run in stuck:
        out.print(as_text(f"{run.state} since {run.since}: {run.name} ({run.id})"))
    out.print(f"{len(stuck)} runs {'would be' if dry_run else 'are'} called crashed")
