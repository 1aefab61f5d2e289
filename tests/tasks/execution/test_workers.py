"""Laws of the loop over regions: all answers, few in flight, the first error last; whoever the workers are."""

import threading
import time
from ipaddress import ip_address

import psutil
import pytest

from tasks.execution.dask_workers import LOOPBACK, workers
from tasks.execution.workers import IN_FLIGHT, run_regions
from unet.settings.cluster import Cluster

HERE = {"processes": False, "n_workers": 1, "threads_per_worker": 2, **LOOPBACK}


@pytest.fixture(scope="module")
def client():
    with workers(Cluster(cls="distributed.LocalCluster", options=HERE)) as client:
        yield client


def squares(client, items, function=lambda n: n * n):
    return dict(run_regions(client, function, items, lambda: None))


@pytest.mark.parametrize("count", [0, 1, 50])
def test_every_item_has_its_answer_and_is_counted(count, client):
    steps = []
    answers = list(run_regions(client, lambda n: n * n, range(count), lambda: steps.append(1)))
    assert sorted(answers) == [(n, n * n) for n in range(count)]
    assert len(steps) == count


def test_no_more_are_in_flight_than_the_threads_can_take(client):
    taken, answered, at_once = [], [], []

    def items():
        for n in range(30):
            taken.append(n)
            at_once.append(len(taken) - len(answered))
            yield n

    for item, _ in run_regions(client, lambda n: n, items(), lambda: None):
        answered.append(item)
    assert sorted(answered) == taken == list(range(30))
    assert max(at_once) <= IN_FLIGHT * HERE["threads_per_worker"] + 1  # the answer at hand is not counted yet


def test_the_first_error_is_raised_when_nothing_is_at_work_any_more(client, tmp_path):
    def work(n):  # says so by files, as it is pickled on its way to the workers
        (tmp_path / f"{n} began").touch()
        if n in (3, 5):
            raise ValueError(f"region {n} must fit")
        time.sleep(0.05)
        (tmp_path / f"{n} ended").touch()

    answers = []
    with pytest.raises(ValueError, match=r"region [35] must fit"):
        answers.extend(item for item, _ in run_regions(client, work, range(1000), lambda: None))
    began, ended = ({int(path.name.split()[0]) for path in tmp_path.glob(f"* {word}")} for word in ("began", "ended"))
    assert ended == began - {3, 5} == set(answers)
    assert len(began) < 30


@pytest.mark.parametrize("left_by", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("where", [None, Cluster(cls="distributed.LocalCluster", options=HERE)])
def test_who_leaves_the_loop_leaves_nothing_at_work_behind(where, left_by, tmp_path):
    def work(n):
        (tmp_path / f"{n} began").touch()
        time.sleep(0.02)
        (tmp_path / f"{n} ended").touch()

    def leave():
        with workers(where) as crew:
            for _ in run_regions(crew, work, range(1000), lambda: None):
                raise left_by

    with pytest.raises(left_by):
        leave()
    began, ended = ({path.name.split()[0] for path in tmp_path.glob(f"* {word}")} for word in ("began", "ended"))
    assert began == ended
    assert len(began) < 30


def test_another_thread_is_stopped_too_and_told_so_by_an_error_that_sets_nothing_aside():
    told, others = [], []

    def loop(crew):
        try:
            list(run_regions(crew, lambda _: time.sleep(0.01), range(10_000), lambda: None))
        except InterruptedError as error:
            told.append(str(error))

    def leave():
        with workers(None) as crew:
            others.append(threading.Thread(target=loop, args=(crew,)))
            others[0].start()
            time.sleep(0.1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    others[0].join()
    assert told == ["the run was stopped; run it again to go on"]


def test_workers_that_come_later_are_given_work_too(client, monkeypatch):
    threads = iter([0, 1])
    monkeypatch.setattr(client, "threads", lambda: next(threads, 8))
    taken, most = [], []

    def items():
        for n in range(40):
            taken.append(n)
            yield n

    for answered, _ in enumerate(run_regions(client, lambda n: n, items(), lambda: None), start=1):
        most.append(len(taken) - answered)
    assert most[0] <= IN_FLIGHT
    assert max(most) > IN_FLIGHT * 4


def test_threads_of_this_process_without_any_set_up():
    with workers(None) as client:
        assert squares(client, [2, 3]) == {2: 4, 3: 9}


def test_no_server_listens_but_on_loopback():
    with workers(None):
        listening = [c.laddr.ip for c in psutil.Process().net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert all(ip_address(ip).is_loopback for ip in listening), listening
