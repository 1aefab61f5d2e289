"""Laws of progress: it counts right from whatever thread, and never stops the work."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES

from tasks.reporting import progress
from tasks.reporting.progress import Sink


@pytest.fixture
def shown(monkeypatch):
    """What the artifact was last told, as if within a run; every update at once."""
    told = []
    monkeypatch.setattr(progress, "TaskRunContext", type("Within", (), {"get": staticmethod(lambda: "a run")}))
    monkeypatch.setattr(progress, "create_progress_artifact", lambda *_, **more: told.append(more) or "id")
    monkeypatch.setattr(progress, "update_progress_artifact", lambda *values: told.append(values))
    monkeypatch.setattr(progress, "EVERY", 0.0)
    return told


def test_each_step_is_counted_from_whatever_thread(shown):
    with Sink("weigh", 200) as sink, ThreadPoolExecutor(8) as pool:
        list(pool.map(sink.step, map(str, range(200))))
    assert sink.done == 200
    assert [percent for _, percent, _ in shown[1:]] == sorted(percent for _, percent, _ in shown[1:])
    assert shown[0] == {"key": "weigh-progress", "description": "0/200"}
    assert shown[-1][:2] == ("id", 100.0)


def test_the_end_is_shown_though_the_last_update_was_a_moment_ago(shown, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 3600.0)
    with Sink("train", 4) as sink:
        for done in range(1, 5):
            sink(done, 4, f"loss {done}")
    assert shown[1:] == [("id", 100.0, "4/4 loss 4")]


def test_a_server_that_is_gone_does_not_stop_the_work_and_is_shown_more_once_it_is_back(shown, monkeypatch, caplog):
    def gone(*_):
        assert PREFECT_CLIENT_MAX_RETRIES.value() == 0  # the work does not wait until Prefect has tried it again
        raise ConnectionError("no answer")

    update = progress.update_progress_artifact
    monkeypatch.setattr(progress, "update_progress_artifact", gone)
    with Sink("train", 4) as sink:
        for _ in range(3):
            sink.step()
        assert sink.done == 3
        assert caplog.messages == ["progress of train is not shown for 60 s: no answer"]
        monkeypatch.setattr(progress, "update_progress_artifact", update)
        sink.silent_until = 0.0
        sink.step("loss 0.1")
    assert shown[-1] == ("id", 100.0, "4/4 loss 0.1")


def test_a_server_that_is_gone_at_the_start_does_not_stop_the_work(shown, monkeypatch, caplog):
    def gone(*_, **__):
        raise ConnectionError("no answer")

    monkeypatch.setattr(progress, "create_progress_artifact", gone)
    with Sink("train", 1) as sink:
        sink.step()
    assert caplog.messages == ["progress of train is not shown: no answer"]


def test_outside_a_run_there_is_no_artifact(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("no run, no artifact")

    monkeypatch.setattr(progress, "create_progress_artifact", refuse)
    monkeypatch.setattr(progress, "update_progress_artifact", refuse)
    with Sink("train", 0) as sink:
        sink.step()


def test_away_from_a_terminal_lines_stand_for_the_bar(monkeypatch, capsys):
    monkeypatch.setattr(progress, "EVERY", 0.0)
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    with Sink("train", 2) as sink:
        sink(1, 2, "loss 0.7")
    assert "train loss 0.7 1/2" in capsys.readouterr().err.splitlines()


def test_what_is_done_of_one_is_a_part_of_the_whole(shown):
    with Sink("segment", 4) as sink:
        sink.step("a")
        tick = sink.counter("b")(2)
        tick()
        assert shown[-1] == ("id", 37.5, "1/4 b 1/2 blocks")
        tick()
        assert shown[-1][1:] == (50.0, "1/4 b 2/2 blocks")
        sink.step("b")
    assert shown[-1][1] == 50.0
