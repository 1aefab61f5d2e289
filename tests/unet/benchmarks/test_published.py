"""Laws of what was published: figures as the paper has them, and for every benchmark where its data are to be had."""

import pytest

from unet.benchmarks.published import BENCHMARKS, benchmark_of, how_to_get

PAPER = {
    ("isbi2012", "warping_error"): 0.000353,
    ("isbi2012", "rand_error"): 0.0382,
    ("isbi2012", "pixel_error"): 0.0611,
    ("phc-u373", "seg"): 0.9203,
    ("dic-hela", "seg"): 0.7756,
}


def test_figures_of_the_paper_are_those_of_its_tables():
    found = {
        (name, figure.name): figure.paper.value
        for name, benchmark in BENCHMARKS.items()
        for figure in benchmark.figures
        if figure.paper and not figure.paper.is_about
    }
    assert found == PAPER


@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_says_where_its_data_are_and_on_which_terms_and_that_nothing_is_downloaded(name):
    benchmark = benchmark_of(name)
    words = how_to_get(benchmark)
    assert benchmark.home.startswith("https://")
    assert all(said in words for said in (benchmark.home, benchmark.terms, benchmark.cite, "nothing is downloaded"))


@pytest.mark.parametrize("name", ["phc-u373", "dic-hela"])
def test_op_csb_of_the_best_is_the_mean_of_seg_and_det_or_marked_as_odd(name):
    seg, det, both = (figure.best for figure in benchmark_of(name).figures if figure.best)
    assert both.is_about == (abs(both.value - (seg.value + det.value) / 2) > 1e-3)
    assert benchmark_of(name).border == 50


def test_a_benchmark_that_nobody_knows_is_refused_with_those_there_are():
    with pytest.raises(LookupError, match=r"isbi2012, phc-u373, dic-hela, dsb2018, got 'cremi'"):
        benchmark_of("cremi")
