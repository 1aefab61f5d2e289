"""Automations on the server: runs whose worker is gone are marked as crashed, and people are told.

Prefect's heartbeats are the signs of life. A run that was killed is called crashed once none came for three and a half
of their intervals, and only that state is told of: a run that ended as the last sign came late is left as it is.
Told of are runs of deployments that failed, scheduled ones that nobody took in their time, and whatever was called
crashed; who runs a command by hand sees its end. A look of `watch` is never late, as the next one does its work.

A message may come twice: a server whose database is busy, as SQLite is on a loaded machine, looks at an event again.

The address that messages go to is a secret, such as a chat's webhook is: it lies encrypted in one block on the server.
"""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from unet.ledger.outcome import STAGES

if TYPE_CHECKING:
    from prefect.automations import AutomationCore
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.actions import ActionTypes

BLOCK = "unet-flows-notify"
"""Name of the notification block, which a person may edit in the UI or replace by one of another kind."""
UNHEARD = "no sign of life"
"""How the message of a run begins that is called crashed."""
HEARTBEAT = 180
"""Prefect's own seconds between signs of life."""
MISSED = 3.5
"""Intervals without a sign after which nobody runs a run."""
FLOWS = ("reprocess", "watch", *STAGES)
RUN = "prefect.flow-run."


def install(notify: str | None, ui: str, late: timedelta = timedelta(minutes=30)) -> list[str]:
    """Put the automations on the server, new or again; says which.

    Args:
        notify: where messages are posted as JSON; none = where they went before, if anywhere.
        ui: address of the UI, for links.
        late: how long a scheduled run may wait.
    """
    from prefect.client.orchestration import get_client

    block = _block(notify)
    made = [_crash_automation(), *(_notifications(block, ui, late) if block else ())]
    with get_client(sync_client=True) as client:
        for automation in made:
            _put_automation(client, automation)
    return [automation.name for automation in made]


def _block(notify: str | None) -> Any:
    """Id of the notification block, made or replaced where there is an address; None where there never was one."""
    from prefect.blocks.notifications import CustomWebhookNotificationBlock
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

    if notify:
        content = {"text": "{{subject}}\n{{body}}"}
        block = CustomWebhookNotificationBlock(
            name="unet-flows", url="{{address}}", json_data=content, secrets={"address": notify}
        )
        try:
            return block.save(BLOCK, overwrite=True)
        except PrefectHTTPStatusError as error:  # whose text holds what was sent
            raise RuntimeError(
                f"the server must take the notification block, got {error.response.status_code}"
            ) from None
    with get_client(sync_client=True) as client:
        try:
            return client.read_block_document_by_name(BLOCK, "custom-webhook").id
        except ObjectNotFound:
            return None


def _put_automation(client: "SyncPrefectClient", automation: "AutomationCore") -> None:
    """Create or replace the automation of this name; one that a person switched off stays off."""
    there = client.read_automations_by_name(automation.name)
    wanted = automation.model_copy(update={"enabled": there[0].enabled if there else True})
    same = [each for each in there if _facts(each) == _facts(wanted)][:1]
    for each in there:
        if each not in same:
            client.delete_automation(each.id)
    if not same:
        client.create_automation(wanted)


def _facts(automation: "AutomationCore") -> dict[str, Any]:
    return automation.model_dump(mode="json", include={"name", "enabled", "trigger", "actions"})


def _crash_automation() -> "AutomationCore":
    from prefect.automations import AutomationCore, EventTrigger, Posture
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState

    seconds = MISSED * int(os.environ.get("PREFECT_FLOWS_HEARTBEAT_FREQUENCY") or HEARTBEAT)
    trigger = EventTrigger(
        after={f"{RUN}heartbeat", f"{RUN}Running"},  # one may be killed before its first sign
        expect={f"{RUN}*"},
        match={"prefect.resource.id": f"{RUN}*"},
        match_related=_of_flows(FLOWS),
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=seconds),
    )
    message = f"{UNHEARD} for {seconds / 60:.0f} minutes: the process or its machine is gone; the next run takes over"
    action = ChangeFlowRunState(state=StateType.CRASHED, message=message)
    return AutomationCore(name="unet-flows: call runs crashed that nobody runs", trigger=trigger, actions=[action])


def _notifications(block: Any, ui: str, late: timedelta) -> "Sequence[AutomationCore]":
    from prefect.automations import AutomationCore, EventTrigger, Posture

    any_run = {"prefect.resource.id": f"{RUN}*"}
    heard = {**any_run, "prefect.state-message": f"!{UNHEARD}*"}
    unheard = {**any_run, "prefect.state-message": f"{UNHEARD}*"}
    ours, deployed = _of_flows(FLOWS), {"prefect.resource.role": "deployment"}
    ended = {f"{RUN}{state}" for state in ("Failed", "Crashed", "TimedOut")}
    failed = EventTrigger(expect=ended, match=heard, match_related=[ours, deployed])
    crashed = EventTrigger(expect={f"{RUN}Crashed"}, match=unheard, match_related=ours)
    waiting = EventTrigger(
        after={f"{RUN}Late"},
        expect={f"{RUN}{state}" for state in ("Pending", "Running", "Cancelled")},
        match=any_run,
        match_related=[_of_flows([flow for flow in FLOWS if flow != "watch"]), deployed],
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=late,
    )
    why = f"it was due, and nobody took it for {late.total_seconds() / 60:g} minutes: is a worker running?"
    reason = "{{ event.resource['prefect.state-message'] }}"
    return [
        AutomationCore(name=f"unet-flows: tell of {what}", trigger=trigger, actions=[_message(block, ui, what, said)])
        for what, trigger, said in (
            ("failed runs", failed, reason),
            ("crashed runs", crashed, reason),
            ("late runs", waiting, why),
        )
    ]


def _of_flows(names: Sequence[str]) -> dict[str, str | list[str]]:
    return {"prefect.resource.role": "flow", "prefect.resource.name": list(names)}


def _message(block: Any, ui: str, what: str, reason: str) -> "ActionTypes":
    """A message that names the run, its dataset, what became of it, why, and where to look."""
    from prefect.events.actions import SendNotification

    body = (
        "{{ flow.name }} {{ deployment.name }} ({{ flow_run.name }}) is {{ flow_run.state.name }}\n"
        "dataset: {{ flow_run.parameters['dataset'] }}\n"
        f"why: {reason}\n"
        f"see {ui}/runs/flow-run/{{{{ flow_run.id }}}}"
    )
    return SendNotification(block_document_id=block, subject=f"unet-flows: {what}", body=body)
