"""Laws of leases: one run at a time on a disk, whatever is killed; who waits is told for whom."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from unet.dataset import lease as module
from unet.dataset.folder import Dataset
from unet.dataset.lease import HeldError, Holder, activity, lease

HOLD = """
import sys, time
from unet.dataset.folder import Dataset
from unet.dataset.lease import lease
with lease(Dataset(sys.argv[1]), "segment"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""
TAKE_TURNS = """
import sys, os
from pathlib import Path
from unet.dataset import lease as module
from unet.dataset.folder import Dataset
module.LOOK = 0.01
for _ in range(25):
    with module.lease(Dataset(sys.argv[1]), "weigh", wait=True, say=lambda _: None):
        alone = Path(sys.argv[1], "alone")
        alone.touch(exist_ok=False)
        alone.unlink()
"""


@pytest.fixture
def place(tmp_path):
    return Dataset(str(tmp_path))


@pytest.fixture
def other(place):
    """Starts a process that holds the lease for so many seconds."""
    started = []

    def start(seconds):
        command = [sys.executable, "-c", HOLD, place.url, str(seconds)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert started[0].stdout.readline() == "held\n"
        return started[0]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def held(place, ago=0.0, **changes):
    """A lease of somebody else lies there, put so many seconds ago."""
    values = vars(Holder.now("train")) | {"run": "theirs"} | changes
    (place / "lease.json").write_json(values)
    if ago:
        then = time.time() - ago
        os.utime(f"{place.url}/lease.json", (then, then))


def test_a_second_run_leaves_and_says_who_holds_it_since_when(place, other):
    process = other(60)
    words = rf"{place.url} is worked on by segment of process {process.pid} on .+, since \d{{4}}-.+; wait for it with"
    with pytest.raises(HeldError, match=words), lease(place, "weigh"):
        pytest.fail("both hold it")
    assert json.loads((place / "lease.json").read())["pid"] == process.pid


def test_a_run_that_was_killed_blocks_nobody(place, other):
    process, said = other(60), []
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (place / "lease.json").exists()
    with lease(place, "weigh", say=said.append):
        assert (place / "lease.json").read_json()["pid"] == os.getpid()
    assert len(said) == 1
    assert said[0].startswith(f"took over from segment of process {process.pid} on ")
    assert place.names() == []


def test_one_waits_until_it_is_given_back(place, other, monkeypatch):
    monkeypatch.setattr(module, "LOOK", 0.05)
    process, said = other(1), []
    with lease(place, "weigh", wait=True, say=said.append):
        assert process.wait(10) == 0
    assert len(said) == 1
    assert said[0].startswith(f"waiting for segment of process {process.pid} on ")


def test_what_another_machine_holds_is_lost_once_it_is_not_renewed(place):
    held(place, module.LOST - 20, machine="elsewhere/1", renewed=0)  # its clock is another one
    with pytest.raises(HeldError, match=r"train of process .* on elsewhere, since"), lease(place, "weigh"):
        pass
    assert place.names() == ["lease.json"]
    held(place, module.LOST + 1, machine="elsewhere/1", renewed=time.time() + 9999)
    with lease(place, "weigh", say=lambda _: None):
        pass
    assert place.names() == []


@pytest.mark.parametrize("ahead", [600, 10**9])
def test_a_live_process_of_this_machine_is_never_taken_over_whatever_the_clocks_say(place, other, monkeypatch, ahead):
    process, now = other(60), time.time
    os.utime(f"{place.url}/lease.json", (0, 0))
    monkeypatch.setattr(time, "time", lambda: now() + ahead)
    with pytest.raises(HeldError, match=f"segment of process {process.pid}"), lease(place, "weigh"):
        pytest.fail("both hold it")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process began")
def test_a_later_process_of_the_same_number_holds_nothing(place):
    held(place, born="another boot/7")
    with lease(place, "weigh", say=lambda _: None):
        pass
    assert place.names() == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of it")
def test_a_killed_process_that_nobody_asked_after_yet_holds_nothing(place, other):
    process = other(60)
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and keeps its number
    with lease(place, "weigh", say=lambda _: None):
        assert (place / "lease.json").read_json()["pid"] == os.getpid()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells one boot from another")
def test_another_machine_of_the_same_name_is_another(place, monkeypatch):
    read = module.Path.read_text
    monkeypatch.setattr(
        module.Path, "read_text", lambda path, *how: "elsewhere" if path.name == "boot_id" else read(path, *how)
    )
    held(place, pid=2**22 + 1)  # no number of a process here
    monkeypatch.undo()
    with pytest.raises(HeldError, match="train of process 4194305"), lease(place, "weigh"):
        pytest.fail("both hold it")


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b'{"pid": 1}'])
def test_one_that_was_killed_before_it_wrote_its_name_blocks_nobody(place, content, monkeypatch):
    read = module._read_holder  # which waits for a name for 2 s
    monkeypatch.setattr(module, "_read_holder", lambda file, patience=0.1: read(file, patience))
    (place / "lease.json").write(content)
    said = []
    with lease(place, "weigh", say=said.append):
        pass
    assert said == ["took over from a run that was killed before it wrote its name, which is gone"]


def test_a_second_run_of_one_process_leaves_too(place):
    with lease(place, "reprocess"):
        before = (place / "lease.json").read()
        with pytest.raises(HeldError, match=f"reprocess of process {os.getpid()}"), lease(place, "weigh"):
            pytest.fail("both hold it")
        assert (place / "lease.json").read() == before
    assert place.names() == []


@pytest.mark.parametrize("at", ["disk", "memory"])
def test_who_takes_it_knows_whether_another_run_was_at_work_since(place, at, monkeypatch):
    monkeypatch.setattr(module, "SETTLE", 0.0)
    place = place if at == "disk" else Dataset("memory://active")
    before = activity(place)
    with lease(place, "weigh") as right_before:
        assert right_before == before
        assert activity(place) is None
    if at == "disk":  # an object store does not tell
        assert activity(place) != before
    held(place, machine="elsewhere/1")
    monkeypatch.setattr(module, "LOST", -1.0)
    with lease(place, "weigh", say=lambda _: None) as right_before:
        assert right_before is None


def test_it_is_given_back_when_the_run_fails(place):
    with pytest.raises(ZeroDivisionError), lease(place, "weigh"):
        raise ZeroDivisionError
    assert place.names() == []
    with lease(place, "weigh"):
        pass


def test_it_is_renewed_while_it_is_held_and_left_to_who_took_it_over(place, monkeypatch, caplog):
    monkeypatch.setattr(module, "RENEW", 0.02)
    with lease(place, "weigh"):
        first = (place / "lease.json").read_json()
        end = time.monotonic() + 30
        while (now := (place / "lease.json").read_json())["renewed"] == first["renewed"]:
            assert time.monotonic() < end
        assert {**now, "renewed": 0} == {**first, "renewed": 0}
        held(place)
        while "taken over" not in caplog.text:
            held(place)
            assert time.monotonic() < end
            time.sleep(0.05)
    assert (place / "lease.json").read_json()["run"] == "theirs"


def test_a_lease_that_was_given_back_meanwhile_is_not_cleared(place, monkeypatch):
    """Another may have it since: moved aside for a moment as it ends, it would come back, and block all for ever."""
    create, asked = module._create_lease, []

    def held_at_first(file, own):
        asked.append(own)
        return len(asked) > 1 and create(file, own)

    monkeypatch.setattr(module, "_create_lease", held_at_first)
    monkeypatch.setattr(module, "_clear_lease", lambda *_: pytest.fail("it takes away what is not there"))
    with lease(place, "weigh", wait=True):
        assert len(asked) == 2
    assert place.names() == []


def test_a_link_to_nothing_in_its_place_blocks_nobody(place, monkeypatch):
    read = module._read_holder
    monkeypatch.setattr(module, "_read_holder", lambda file, patience=0.1: read(file, patience))
    Path(place.url, "lease.json").symlink_to("/nowhere/at/all")
    with lease(place, "weigh", say=lambda _: None):
        assert (place / "lease.json").read_json()["what"] == "weigh"
    assert place.names() == []


def test_of_many_that_ask_at_once_one_holds_it(place):
    command = [sys.executable, "-c", TAKE_TURNS, place.url]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate(timeout=120)[1] for process in processes] == [""] * 3
    assert place.names() == []


def test_on_an_object_store_too(monkeypatch):
    monkeypatch.setattr(module, "SETTLE", 0.0)
    place = Dataset("memory://leased")
    with lease(place, "weigh"):
        assert (place / "lease.json").read_json()["what"] == "weigh"
    assert not (place / "lease.json").exists()
    held(place, machine="elsewhere/1")
    with pytest.raises(HeldError, match="train of process"), lease(place, "weigh"):
        pass
    monkeypatch.setattr(module, "LOST", -1.0)
    with lease(place, "weigh", say=lambda _: None):
        pass
    assert not (place / "lease.json").exists()
