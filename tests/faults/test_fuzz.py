"""Law of bytes that came as data: whatever they are, they are read, or a sentence of ours names the file; nothing else.

Whole files of each kind are changed in places, cut, doubled, and their numbers made huge. `UNET_FLOWS_FUZZ=N` tries N
cases of each parser in place of a few; `python -m tests.faults.fuzz` is led by which lines of code they reach.
"""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.limits import peak, within
from tests.faults.parsers import OURS, PARSERS, RECIPE, jsons, ome_xml
from unet.dataset.folder import Dataset
from unet.ledger.outcome import set_aside, why_set_aside

CASES = int(os.environ.get("UNET_FLOWS_FUZZ") or 0)
SECONDS, MEMORY = 10, 2**30
NUMBERS = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\x00\x00\x01\x00", b"\xff\xff\xff\x7f"]
WORDS = ["0", "-1", "1000000000", "99999999999999999999", "1e9", "x", "", "XYZCT", "/dev/zero", "../a.tif", "nan"]
TEXT = "abc:{}[]&*!<>,-?|#'\"%@0123456789.\n\t xe="


def few(cases):
    return settings(
        max_examples=CASES or cases,
        derandomize=not CASES,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        database=None,
    )


@st.composite
def damaged(draw, content):
    """The bytes of a file, changed in up to four places."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        length = draw(st.sampled_from([1, 2, 4, 16, 200]))
        new = draw(st.one_of(st.binary(max_size=8), st.sampled_from(NUMBERS), st.just(content[at : at + length] * 2)))
        is_cut = draw(st.integers(0, 9)) == 0
        content = content[:at] if is_cut else content[:at] + new + content[at + draw(st.sampled_from([0, len(new)])) :]
    return content


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def retyped(draw, whole):
    """JSON with one value in it of another type, or gone."""
    found = json.loads(whole)
    place, key = found, None
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        parent, key = place, draw(st.sampled_from(list(keys)))
        place = parent[key]
        if draw(st.integers(0, 3)) == 0:
            break
    if key is not None and draw(st.booleans()):
        parent[key] = draw(values)
    elif key is not None:
        del parent[key]
    return json.dumps(found).encode()


@st.composite
def reworded(draw, xml):
    """XML with other words between quotes."""
    text = xml.decode()
    for _ in range(draw(st.integers(1, 3))):
        start = text.index('"', draw(st.integers(60, len(text) - 60))) + 1
        text = text[:start] + draw(st.sampled_from(WORDS)) + text[text.find('"', start) :]
    return text.encode()


def survives(parser, folder, content):
    """Whatever is read gives an answer, or a sentence of ours that names the file, in bounded time and memory."""
    before, said = peak(), parser.name
    try:
        with within(SECONDS):
            parser.read(folder, content)
    except OURS as error:
        said = str(error)
    assert parser.name in said, said
    assert len(said) < 3000
    assert peak() - before < MEMORY


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.data())
@few(40)
def test_damaged_files(tmp_path, name, data):
    survives(PARSERS[name], tmp_path, data.draw(damaged(PARSERS[name].whole())))


@pytest.mark.parametrize("name", [*jsons(), "array"])
@given(data=st.data())
@few(60)
def test_json_of_another_type(tmp_path, name, data):
    survives(PARSERS[name], tmp_path, data.draw(retyped(PARSERS[name].whole())))


@given(data=st.data())
@few(60)
def test_ome_xml_of_other_words(tmp_path, data):
    survives(PARSERS["ome_xml"], tmp_path, data.draw(reworded(ome_xml())))
    assert [path.name for path in tmp_path.iterdir()] == ["a.ome.tif"]


@pytest.mark.parametrize("name", ["record", "change", "clusters"])
@given(text=st.text(TEXT, max_size=60))
@few(100)
def test_any_text_of_people(tmp_path, name, text):
    survives(PARSERS[name], tmp_path, text.encode())


@pytest.mark.parametrize("name", PARSERS)
def test_the_seeds_are_whole(tmp_path, name):
    """Else nothing but their ends would be tried."""
    PARSERS[name].read(tmp_path, PARSERS[name].whole())


def test_what_was_set_aside_is_told_again(tmp_path):
    PARSERS["a.json"].read(tmp_path, PARSERS["a.json"].whole())
    assert why_set_aside(Dataset(str(tmp_path)), RECIPE, "a") == "it is broken"
    assert set_aside(Dataset(str(tmp_path)), RECIPE, "b", ValueError("no")).why == "no"
