"""A Prefect server for the session, asked for by the tests that run flows; and what they ask it."""

import sys
import time

import pytest


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory):
    """One server for all flow tests, with a home and a database of its own, and no telemetry."""
    from prefect import settings
    from prefect.logging.configuration import setup_logging
    from prefect.testing.utilities import prefect_test_harness

    from flows.server import address

    values = {
        settings.PREFECT_HOME: tmp_path_factory.mktemp("prefect"),
        settings.PREFECT_SERVER_ANALYTICS_ENABLED: False,
        settings.PREFECT_LOGGING_EXTRA_LOGGERS: address.SETTINGS["PREFECT_LOGGING_EXTRA_LOGGERS"],
        settings.PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW: "ignore",
        settings.PREFECT_LOGGING_TO_API_BATCH_INTERVAL: 0.2,
        settings.PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,  # at its end each run waits up to a second for its heart
    }
    with settings.temporary_settings(updates=values), prefect_test_harness(server_startup_timeout=120):
        setup_logging(incremental=False)  # Prefect may have been imported before
        yield


@pytest.fixture
def ask(prefect_server):
    """What the server's API holds: `ask("logs", logs={...})`, asked again until there is something."""
    from prefect.client.orchestration import get_client

    def until(what, enough=bool, seconds=60, **filters):
        end = time.monotonic() + seconds
        while not enough(found := client.request("POST", f"/{what}/filter", json=filters).json()):
            if time.monotonic() > end:
                break
            time.sleep(0.3)
        return found

    with get_client(sync_client=True) as client:
        yield until


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a command in this process: status, what it printed, what it complained of."""
    from flows.commands.app import main

    def command(*words):
        monkeypatch.setattr(sys, "argv", ["unet-flows", *map(str, words)])
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code or 0
        said = capsys.readouterr()
        return status, said.out, said.err

    return command
