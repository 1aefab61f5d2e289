"""Names of classes: what is refused, and in which order they are numbered."""

import pytest

from unet.settings.classes import check_names
from unet.settings.record import Record


@pytest.mark.parametrize(
    "names", [(), ("",), (" a",), ("a/b",), ("a\n",), ("a", "A"), ("a", "a"), ("2", "a"), tuple(map(str, range(255)))]
)
def test_names_that_cannot_be_meant_are_refused(names):
    with pytest.raises(ValueError, match=r"^classes must"):
        check_names(names)


def test_a_class_may_be_called_by_its_own_number():
    """Imported models without names have such, and settings go by name or number."""
    check_names(("1", "2"))
    check_names(("7", "a"))


def test_classes_are_numbered_in_the_order_of_the_sources():
    sources = [
        {"images": "a", "truth": "b", "foreground": "classes", "classes": {2: "nucleus", 1: "debris", 255: "ignore"}},
        {"images": "c", "truth": "d", "foreground": "classes", "classes": {"#ff0000": "mitosis", "#00ff00": "nucleus"}},
        {"images": "without truth"},
    ]
    assert Record.read({"sources": sources}).classes == ("nucleus", "debris", "mitosis")
    assert Record.read({"sources": [*sources, {"images": "e", "truth": "f"}]}).classes[3:] == ("object",)


def test_two_sources_write_a_name_in_one_way():
    sources = [{"images": each, "truth": {each: "b"}} for each in ("nucleus", "Nucleus")]
    with pytest.raises(
        ValueError, match=r"dataset\.yaml: sources: classes must have names that differ, got 'nucleus' and"
    ):
        Record.read({"sources": sources})


def test_truth_without_classes_has_one():
    assert Record.read({"sources": [{"images": "a", "truth": "b"}]}).classes == ("object",)
    assert Record.read({}).classes == ("object",)


@pytest.mark.parametrize(
    "source",
    [
        {"foreground": "classes"},
        {"class_of": "types"},
        {"foreground": "ids", "classes": {1: "nucleus"}},
        {"foreground": "classes", "classes": {0: "background", 255: "ignore"}},
        {"foreground": "classes", "classes": {1: "nucleus", 2: "NUCLEUS"}},
        {"foreground": "classes", "classes": {1: "nucleus", "1 ": "mitosis"}},
        {"foreground": "classes", "classes": {"#ff0000": "nucleus", "#FF0000": "mitosis"}},
        {"foreground": "classes", "classes": {"#ff0000": "nucleus", 2: "mitosis"}},
        {"foreground": "classes", "classes": {"#f00": "nucleus"}},
        {"foreground": "classes", "classes": {1: "nucleus"}, "class_of": "types"},
        {"foreground": "classes", "classes": {1: "nucleus"}, "ignore": 1},
        {"foreground": "classes", "classes": {"#ff0000": "nucleus"}, "ignore": 9},
        {"foreground": 255, "classes": {1: "nucleus"}, "class_of": "types"},
        {"truth": None, "classes": {1: "nucleus"}, "class_of": "types"},
        {"truth": {"nucleus": "b"}, "foreground": "classes"},
        {"truth": {"nucleus": "b"}, "classes": {1: "nucleus"}, "class_of": "types"},
        {"truth": {"nucleus": "b", "Nucleus": "c"}},
        {"truth": {"nucleus": ""}},
        {"truth": {"nucleus": "s3://me:hush@lab/b"}},
        {"truth": {"background": "b", "nucleus": "c"}},
        {"truth": {}},
        {"truth": ["b", "c"]},
    ],
)
def test_settings_that_do_not_fit_together_are_refused(source):
    with pytest.raises(ValueError, match=r"dataset\.yaml: sources.*must"):
        Record.read({"sources": [{"images": "a", "truth": "b", **source}]})


def test_a_folder_a_class_names_the_classes():
    assert Record.read({"sources": [{"images": "a", "truth": {"cell": "b", "ignore": "c"}}]}).classes == ("cell",)
