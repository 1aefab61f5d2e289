"""What a machine is asked once, and that nothing is asked where there is nothing to choose."""

import json

import pytest
import torch

from unet.network import fast_precisions
from unet.network.fast_precisions import by_gain, measured_gains, own_precisions


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("UNET_FLOWS_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / fast_precisions.FILE


@pytest.fixture
def asked(monkeypatch):
    """Gains that are said instead of measured, and how often they were asked for."""
    times = []

    def gains(device, halves):
        times.append(device)
        return {half: {"float16": 0.3, "bf16": 1.8123}[half] for half in halves}

    monkeypatch.setattr(fast_precisions, "measured_gains", gains)
    return times


def owning(monkeypatch, *halves):
    monkeypatch.setattr(fast_precisions, "own_precisions", lambda device: halves)


def test_a_machine_is_measured_once_and_says_what_is_faster(place, asked, monkeypatch):
    owning(monkeypatch, "float16", "bf16")
    assert [fast_precisions.fast_precisions("cpu") for _ in range(3)] == [("bf16",)] * 3
    assert asked == ["cpu"]
    (gains,) = json.loads(place.read_text()).values()
    assert gains == {"float16": 0.3, "bf16": 1.81}


def test_nothing_is_measured_where_a_device_has_no_other_arithmetic(place, asked, monkeypatch):
    owning(monkeypatch)
    assert fast_precisions.fast_precisions("cpu") == ()
    assert (asked, place.exists()) == ([], False)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"": 1}'])
def test_a_damaged_file_is_measured_anew(place, asked, monkeypatch, content):
    owning(monkeypatch, "bf16")
    place.parent.mkdir()
    place.write_text(content)
    assert fast_precisions.fast_precisions("cpu") == ("bf16",)
    assert asked == ["cpu"]
    assert fast_precisions.fast_precisions("cpu") == ("bf16",)
    assert asked == ["cpu"]


def test_other_threads_are_another_machine(place, asked, monkeypatch):
    owning(monkeypatch, "bf16")
    for count in (3, 5):
        monkeypatch.setattr(torch, "get_num_threads", lambda count=count: count)
        fast_precisions.fast_precisions("cpu")
    assert len(json.loads(place.read_text())) == len(asked) == 2


def test_torch_is_asked_what_a_cpu_has(monkeypatch):
    known = torch.ops.mkldnn
    for has in (True, False):
        monkeypatch.setattr(known, "_is_mkldnn_bf16_supported", lambda has=has: has)
        monkeypatch.setattr(known, "_is_mkldnn_fp16_supported", lambda: False)
        assert own_precisions("cpu") == (("bf16",) if has else ())

    def unknown():
        raise RuntimeError("no such operator in this build")

    monkeypatch.setattr(known, "_is_mkldnn_bf16_supported", unknown)
    assert own_precisions("cpu") == ()


def test_an_old_gpu_has_no_bf16(monkeypatch):
    for has in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, has=has: has)
        assert own_precisions("cuda") == (("float16", "bf16") if has else ("float16",))


def test_little_gain_is_none_and_of_two_that_are_as_fast_the_finer_is_taken():
    assert by_gain({"float16": 1.1, "bf16": 1.14}) == ()
    assert by_gain({"float16": 1.6, "bf16": 1.9}) == ("bf16", "float16")


@pytest.mark.usefixtures("place")
def test_a_gain_is_a_ratio_of_times_that_were_taken(monkeypatch):
    monkeypatch.setattr(fast_precisions, "SIDE", 8)
    assert all(gain > 0 for gain in measured_gains("cpu", ("bf16",)).values())
