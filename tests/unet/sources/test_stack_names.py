"""Laws of names: safe everywhere, in the order that people have them."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet.sources.stack_names import WantedName, distinct_names, natural_order, safe_name, shortened


@given(st.text())
def test_safe_names_are_stable_safe_and_never_leave_the_folder(path):
    name = safe_name(path)
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}", name)
    assert safe_name(name) == name
    assert (Path("/dataset/images") / f"{name}.ome.zarr").parent == Path("/dataset/images")


def test_long_names_differ_by_a_digest():
    one, two = safe_name("x" * 300 + "1"), safe_name("x" * 300 + "2")
    assert len(one) == len(two) == 200
    assert one != two


@given(st.lists(st.integers(0, 10**6), unique=True))
def test_natural_order_is_the_order_of_the_numbers(numbers):
    assert sorted((f"z{n}.tif" for n in numbers), key=natural_order) == [f"z{n}.tif" for n in sorted(numbers)]


@given(st.lists(st.text(alphabet="a1.é２0", max_size=6)))
def test_natural_order_is_total(words):
    backwards = words[::-1]
    assert sorted(words, key=natural_order) == sorted(backwards, key=natural_order)


@given(st.lists(st.sampled_from("abc"), max_size=9), st.integers(1, 9))
def test_of_many_names_the_first_few_and_the_number_of_the_others_are_told(names, shown):
    told = shortened(names, shown)
    assert told.startswith(", ".join(names[:shown]))
    assert ("more" in told) == (len(names) > shown)


PATHS = st.text(st.sampled_from("aAÄb _/-.细и"), min_size=1, max_size=4)
WANTED = st.lists(st.tuples(PATHS, st.integers(0, 99)), unique=True, max_size=12)
"""What may lie in sources: paths that collide often, each with what tells it apart."""


def named(files, before=None):
    wanted = [WantedName(path, f"{path} {number}", (before or {}).get((path, number))) for path, number in files]
    return dict(zip(files, [name for name, _ in distinct_names(wanted)], strict=True))


@given(WANTED)
def test_names_are_legal_and_distinct_whatever_their_case(files):
    names = list(named(files).values())
    assert len({name.lower() for name in names}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}", name) for name in names)


@given(WANTED, st.randoms())
def test_names_do_not_depend_on_the_order_of_files(files, chance):
    shuffled = chance.sample(files, len(files))
    assert named(shuffled) == named(files)


@given(st.lists(WANTED, min_size=2, max_size=4))
def test_a_name_is_kept_when_files_come_and_go(looks):
    before = {}
    for files in looks:
        now = named(files, before)
        assert all(now[file] == before[file] for file in files if file in before)
        before |= {file: name for file, name in now.items() if name not in before.values()}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("细胞 01", "XiBao_01"),
        ("テスト/1", "tesuto__1"),
        ("Клетка №5", "Kletka_No5"),
        ("ß", "ss"),
        ("a\u0308", "a"),
    ],
)
def test_names_of_other_scripts_are_legible(path, name):
    assert safe_name(path) == name


@pytest.mark.parametrize("before", ["___01", "___01-0badcafe"])
def test_a_name_in_the_former_spelling_is_kept(before):
    assert distinct_names([WantedName("细胞 01", "1", before)])[0][0] == before
