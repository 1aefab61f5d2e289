"""Laws of an ending: SIGTERM and a server that is gone are told in one sentence; all else is left as it is."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from flows.commands.ending import plainly


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)
    signal.sigtimedwait([signal.SIGUSR2], 5)  # a signal is heard between two lines


def test_sigterm_ends_what_is_below_with_its_own_status_and_is_said_once():
    said, before, tidied = [], signal.getsignal(signal.SIGTERM), []

    def work():
        try:
            terminate()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)  # an impatient second one does not disturb the tidying
            tidied.append(True)

    with pytest.raises(SystemExit) as ended, plainly(said.append):
        work()
    assert ended.value.code == 143
    assert said == ["stopped by SIGTERM; what is done is kept, and the next run goes on from there"]
    assert tidied == [True]
    assert signal.getsignal(signal.SIGTERM) is before


def test_ctrl_c_says_what_sigterm_says_once():
    said = []
    with pytest.raises(SystemExit) as ended, plainly(said.append), plainly(said.append):
        raise KeyboardInterrupt
    assert ended.value.code == 130
    assert said == ["stopped by Ctrl-C; what is done is kept, and the next run goes on from there"]


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("All connection attempts failed"),
        httpx.ReadTimeout("All connection attempts failed"),
        httpx.HTTPStatusError("All connection attempts failed", request=None, response=None),
    ],
)
def test_a_server_that_is_gone_is_a_failure_of_the_world_told_in_a_sentence(error):
    words = "the Prefect server must answer, got All connection attempts failed; what is done is kept, .* start the"
    with pytest.raises(ConnectionError, match=words) as told, plainly(print):
        raise error
    assert told.value.__cause__ is error


@pytest.mark.parametrize("error", [ValueError("no"), OSError("the disk is gone"), RuntimeError("a bug")])
def test_all_else_is_left_as_it_is(error):
    with pytest.raises(type(error)) as told, plainly(print):
        raise error
    assert told.value is error


def test_a_thread_leaves_signals_alone():
    before = signal.getsignal(signal.SIGTERM)

    def look():
        with plainly(print):
            return signal.getsignal(signal.SIGTERM)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(look).result() is before
