"""The rule: half precision where it is faster and was measured to be as good as float32; float32 in any other case."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet.network.parity import (
    CLOSE_SHARE,
    KEY,
    Parity,
    choose_precision,
    is_automatic,
    known_parity,
    merged,
    of_device,
)
from unet.settings.predict import Predict

GOOD = Parity(
    device="cpu",
    precision="bf16",
    by="rounding",
    part="validation",
    planes=3,
    pixels=196608,
    largest=0.03,
    close=0.9995,
    segments=40,
    changed=1,
    objects=41,
    metric="mean_average_precision",
    in_float32=0.9,
    in_half=0.8995,
)


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"in_half": 0.899}, True),
        ({"in_half": 0.8989}, False),
        ({"in_half": 0.9011}, False),  # it differs, whichever way
        ({"close": CLOSE_SHARE}, True),
        ({"close": 0.998999}, False),
        ({"largest": None, "close": 0.0}, False),
        ({"metric": None, "in_float32": None, "in_half": None, "objects": 0}, True),  # by scores alone
        ({"changed": 40}, True),  # is told, and decides nothing
    ],
)
def test_what_is_as_good_as_float32(changes, fits):
    one = replace(GOOD, **changes)
    assert one.fits is fits
    assert one.line.startswith(f"{'as' if fits else 'not as'} good in bf16 as in float32 on a CPU, by rounding: ")


def test_words_tell_the_amounts_and_how_many_objects_stand_behind_a_figure():
    assert GOOD.line == (
        "as good in bf16 as in float32 on a CPU, by rounding: scores differ by ≤ 2/255 on 99.95 % of 196,608 pixels "
        "(validation, 3 planes), by 0.03 at most; 1 of 40 segments changed; AP 0.9000 → 0.8995 (n = 41 objects)"
    )
    assert replace(GOOD, largest=None).words == "not all scores are finite (validation, 3 planes)"
    assert "99.99 %" in replace(GOOD, close=0.999999).words  # nearly all are not all
    assert replace(GOOD, close=0.999999).word == "99.99 % alike in bf16"


@pytest.mark.parametrize(
    ("settings", "faster", "known", "precision", "why"),
    [
        (Predict(), ("bf16",), [GOOD], "bf16", "it is faster on this CPU and as good: scores differ"),
        (Predict(), (), [GOOD], "float32", "nothing is faster on this CPU"),
        (Predict(), ("bf16",), [], "float32", "bf16 was never compared with it: set predict.precision to bf16"),
        (Predict(), ("bf16",), [replace(GOOD, close=0.9)], "float32", "bf16 is not as good: scores differ"),
        (Predict(), ("bf16",), [replace(GOOD, device="cuda")], "float32", "bf16 was never compared"),
        (Predict(), ("float16", "bf16"), [GOOD], "bf16", "it is faster"),
        (Predict(), ("float16", "bf16"), [replace(GOOD, precision="float16"), GOOD], "float16", "it is faster"),
        (Predict(dtype="float32"), ("bf16",), [GOOD], "float32", "scores are kept as float32"),
        (Predict(precision="float16"), (), [], "float16", "predict.precision asks for it"),
        (Predict(precision="float32"), ("bf16",), [GOOD], "float32", "predict.precision asks for it"),
    ],
)
def test_the_choice(settings, faster, known, precision, why):
    choice = choose_precision(settings, "cpu", faster, known)
    assert (choice.precision, choice.why[: len(why)]) == (precision, why)


@given(
    st.lists(st.sampled_from(["bf16", "float16"]), unique=True),
    st.lists(st.builds(replace, st.just(GOOD), close=st.floats(0.99, 1), device=st.sampled_from(["cpu", "cuda"]))),
    st.sampled_from(["uint8", "float16", "float32"]),
)
def test_half_precision_is_never_taken_without_a_measure_that_says_so(faster, known, dtype):
    chosen = choose_precision(Predict(dtype=dtype), "cuda", faster, known).precision
    if chosen != "float32":
        assert dtype != "float32"
        assert chosen in faster
        assert of_device(known, "cuda")[chosen].fits


def test_only_auto_of_scores_that_are_rounded_anyway_is_chosen_by_measure():
    assert [is_automatic(Predict(dtype=dtype)) for dtype in ("uint8", "float16", "float32")] == [True, True, False]
    assert not is_automatic(Predict(precision="bf16"))


def test_it_is_read_back_as_it_was_written_and_the_newest_of_a_kind_counts():
    other = replace(GOOD, device="cuda", precision="float16")
    assert known_parity({KEY: merged([GOOD], [other])}) == [GOOD, other]
    newer = replace(GOOD, close=0.5)
    assert known_parity({KEY: merged([GOOD, other], [newer])}) == [newer, other]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD.plain]), inner, max_size=4),
        max_leaves=8,
    )
)
def test_damaged_metadata_tells_nothing_and_stops_nothing(damaged):
    assert all(isinstance(one, Parity) for one in known_parity({KEY: damaged}))
    assert known_parity({KEY: [damaged, GOOD.plain]})[-1] == GOOD
    assert known_parity({KEY: [{**GOOD.plain, "close": float("nan")}, {**GOOD.plain, "pixels": "many"}]}) == []


def test_fields_of_later_versions_are_left_aside():
    assert known_parity({KEY: [{**GOOD.plain, "colour": "red"}]}) == [GOOD]
