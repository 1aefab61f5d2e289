"""Laws of tables of classes: what is written is read, whatever parts the fields; what is no table is a sentence."""

import csv
import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unet.formats import class_table
from unet.formats.class_table import read_class_table

words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.integers(1, 2**50), words, max_size=12),
    st.sampled_from(",;\t"),
    st.booleans(),
    st.sampled_from(["utf-8", "utf-8-sig"]),
)
def test_what_is_written_is_read(tmp_path, table, parted, is_first, coding):
    with (tmp_path / "a.csv").open("w", encoding=coding, newline="") as stream:
        rows = csv.writer(stream, delimiter=parted)
        order = slice(None, None, 1 if is_first else -1)
        rows.writerow([*["id", " Class "][order], "more"])
        rows.writerows([*[str(each), word][order], "x"] for each, word in table.items())
    found = read_class_table(str(tmp_path / "a.csv"))
    assert found.ids.tolist() == sorted(table)
    assert [found.words[number] for number in found.numbers.tolist()] == [table[each] for each in sorted(table)]


def test_what_spreadsheets_and_measurements_add_is_passed_over(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"sep=;\r\nid;class\r\n0;background\r\n7;cell\r\n")
    found = read_class_table(str(tmp_path / "a.csv"))
    assert (found.ids.tolist(), found.numbers.tolist(), found.words) == ([7], [0], ("cell",))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "its first line is ''"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "it is no text in UTF-8"),
        (b"\0" * 4096, "its first line is"),
        (b"id,class\n\0,1\n", "line 2 has the id '\\x00', which is no whole number ≥ 0"),
        (b"id,class\n1,a\n-3,a\n", "line 3 has the id '-3'"),
        (b"sep=;\nid;class\nx;a\n", "line 3 has the id 'x'"),
        (b"id,class\n" + b"9" * 40 + b",a\n", "line 2 has the id '999"),
        ("id,class\n٣,a\n".encode(), "line 2 has the id '\\u0663'"),
        (b"id,class\n1.5,a\n", "line 2 has the id '1.5'"),
        (b"id,class\n1, \n", "line 2 has no class"),
        (b"id,class\n1\n", "line 2 has no class"),
        (b'id,class\n1,"a\n', "unexpected end of data"),
        (b"id,class\n1," + b"a" * 200_000, "field larger than field limit"),
        (b"x" * 300_000, "field larger than field limit"),
        (b"id,class,Class \n1,a,b\n", "it has several columns class"),
        (b"id,class\n1,a\n1.0,b\n", "must name each id once, got 1 on several lines"),
    ],
)
def test_what_is_no_table_is_told_in_one_sentence(tmp_path, content, says):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(says)) as error:
        read_class_table(str(tmp_path / "a.csv"))
    assert len(str(error.value)) < 500
    assert str(error.value).startswith(str(tmp_path / "a.csv"))


def test_a_huge_table_is_refused_and_a_large_one_takes_little_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(class_table, "LARGEST", 2_000_000)
    monkeypatch.setattr(class_table, "MOST_WORDS", 100)
    rows = "".join(f"{n},{n % 7}\n" for n in range(1, 150_001))
    (tmp_path / "a.csv").write_text("id,class\n" + rows)
    tracemalloc.start()
    found = read_class_table(str(tmp_path / "a.csv"))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.ids == np.arange(1, 150_001)).all()
    assert most < 16_000_000
    (tmp_path / "a.csv").write_text("id,class\n" + rows + rows)
    with pytest.raises(ValueError, match="of at most 2,000,000 bytes, got more"):
        read_class_table(str(tmp_path / "a.csv"))
    (tmp_path / "a.csv").write_text("id,class\n" + "".join(f"{n},{n}\n" for n in range(1, 200)))
    with pytest.raises(ValueError, match="it has more than 100 classes"):
        read_class_table(str(tmp_path / "a.csv"))


def test_ten_thousand_million_rows_that_nobody_wrote_are_not_waited_for(tmp_path):
    with (tmp_path / "a.csv").open("wb") as stream:
        stream.write(b"id,class\n")
        stream.truncate(10**11)  # a hole
    with pytest.raises(ValueError, match="of at most"):
        read_class_table(str(tmp_path / "a.csv"))
