"""A Prefect server for the session, asked for by the tests that run flows; and one that answers questions about runs."""

import os
import time

import pytest

from flows import server


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory):
    """One server for all flow tests, with a home and a database of its own, and no telemetry."""
    home = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        for key in [key for key in os.environ if key.startswith("PREFECT_")]:
            patch.delenv(key)
        for key, value in (server.SETTINGS | server.QUIET | {"PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.2"}).items():
            patch.setenv(key, value)
        patch.setenv("UNET_FLOWS_HOME", str(home))
        patch.setenv("PREFECT_HOME", str(home / "prefect"))
        from prefect.testing.utilities import prefect_test_harness

        with prefect_test_harness(server_startup_timeout=120):
            yield


@pytest.fixture
def api(prefect_server):
    """Client of the server's API."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def eventually():
    """Value of a function as soon as it is true: the server hears of some things a little later."""

    def wait(function, seconds=30):
        end = time.monotonic() + seconds
        while not (value := function()) and time.monotonic() < end:
            time.sleep(0.2)
        return value

    return wait
