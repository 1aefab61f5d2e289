from tests.unet.reports.test_report import REPORT, entry
from unet.reports.report_tables import ROWS, count_rows, gaps, headline, part_table, sections, stack_rows


def test_the_headline_is_of_one_part_the_most_telling_metric_first():
    figures = headline(REPORT.metrics, "validation")
    assert [figure.metric.label for figure in figures] == ["average precision", "SEG", "IoU"]
    assert figures[2].details == ["0.930 – 0.950"]
    assert figures[2].bar == (93, 94, 95)


def test_parts_of_a_metric_are_not_among_the_big_figures():
    names = ("average_precision", "v_rand", "v_rand_split", "v_rand_merge", "v_info")
    figures = headline({"test": {name: entry(0.9) for name in names}}, "test")
    assert [figure.metric.label for figure in figures] == ["average precision", "V_rand", "V_info"]


def test_an_undefined_metric_says_so_and_why():
    figure = headline(REPORT.metrics, "validation")[1]
    assert (figure.text, figure.details, figure.bar) == ("undefined", ["as truth has no object"], None)
    assert "SEG is undefined where truth has no object." in gaps(REPORT.stacks)
    nothing = {"validation": {"seg": entry(None, n=0)}}
    assert headline(nothing, "validation")[0].details == ["as there is no plane with truth"]


def test_one_plane_has_no_interval():
    assert headline({"validation": {"iou": entry(0.9, None, None, 1)}}, "validation")[0].details == ["no interval"]


def test_every_part_is_a_column_with_what_it_is_of():
    table = part_table(REPORT.metrics, REPORT.resampled)
    assert [(head.name, head.sizes) for head in table.heads] == [
        ("validation", "12 planes of 3 stacks"),
        ("training", "30 planes of 3 stacks"),
    ]
    cells = {metric.label: cells for metric, cells in table.rows}
    assert cells["IoU"] == [("0.940", "0.930 – 0.950"), ("0.960", "0.950 – 0.970")]
    assert cells["average precision"] == [("0.870", "0.810 – 0.910"), ("–", "")]


def test_a_metric_that_is_defined_on_fewer_planes_says_on_how_many():
    table = part_table({"new": {"iou": entry(0.9, 0.8, 1.0, 12), "seg": entry(0.8, 0.7, 0.9, 7)}}, {})
    assert [cells[0][1] for _, cells in table.rows] == ["0.700 – 0.900, n = 7", "0.800 – 1.000"]


def test_counts_come_with_their_share():
    [(part, cells)] = count_rows(REPORT.counts)
    assert part == "validation"
    assert cells[:5] == [("1,000", ""), ("1,010", ""), ("870", "87 %"), ("130", "13 %"), ("31", "3.1 %")]


def test_stacks_of_the_headline_come_first_then_names_in_natural_order():
    assert [(name, part) for name, part, _ in stack_rows(REPORT.stacks)] == [
        ("plane-30", "validation"),
        ("plane-2", "training"),
        ("plane-10", "training"),
    ]


def test_of_very_many_stacks_the_worst_are_shown():
    stacks = {f"s{at}": {"part": "test", "iou": at / 1000} for at in range(ROWS + 40)}
    assert {name for name, _, _ in stack_rows(stacks)} == {f"s{at}" for at in range(ROWS)}
    assert f"the worst {ROWS} of {ROWS + 40} stacks" in gaps(stacks)[0]


def test_sources_are_sections_of_what_is_said_of_them():
    found = sections({"sources": [{"images": "/a", "truth": None}, {"images": "/b"}], "exclude": []})
    assert found == {"sources, 1": {"images": "/a"}, "sources, 2": {"images": "/b"}, "others": {"exclude": "[]"}}


def test_volumes_are_called_so():
    entry = {"value": 0.9, "low": 0.8, "high": 1.0, "n": 7, "stacks": 1}
    (head,) = part_table({"test": {"iou": entry}}, {"test": "planes"}, "volume").heads
    assert (head.sizes, head.resampled) == ("7 volumes of 1 stack", "intervals resample volumes")
