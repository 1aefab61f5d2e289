"""Models out: the file is the dataset's model, lies where it was asked for, and replaces nothing."""

import io
import json
import sys
from zipfile import ZipFile

import numpy as np
import pytest
import torch

from tasks.tools import export_model as module
from tasks.tools.export_model import Signature, example_of, export_model
from unet.dataset.folder import Dataset, Folder
from unet.dataset.record_file import read_record, set_values
from unet.images.channel_statistics import Statistics
from unet.images.grey_values import rule_of_training
from unet.images.normalisation import normalise
from unet.images.planes import Plane
from unet.ledger.results import image_of, model_of, report_of
from unet.network import exports, model_files
from unet.network.exports import ABOUT_KEY
from unet.network.model_files import bring_in
from unet.settings.architecture import Architecture
from unet.training.split import PlaneRange


def loaded(path):
    """A torch program and what travels with it."""
    about = {ABOUT_KEY: ""}
    program = torch.export.load(path, extra_files=about).module()
    return program, json.loads(about[ABOUT_KEY])


def test_the_file_gives_the_scores_of_the_datasets_model(dataset, level):
    path = export_model(dataset, "unet", "torch")
    program, about = loaded(path)
    model = model_files.load(dataset, "unet")
    network = model.network.eval()
    facts = image_of(dataset, "a").committed().facts
    statistics = [Statistics(**each) for each in facts["statistics"]]
    image = torch.from_numpy(normalise(level(image_of(dataset, "a"))[:1], statistics))[None]
    with torch.no_grad():
        torch.testing.assert_close(program(image), network(image), atol=1e-5, rtol=1e-5)
    assert about["channels"] == list(model.channels)
    assert about["classes"] == ["background", "object"]
    assert about["normalisation"] == {"rule": "percentiles", "low": 1.0, "high": 99.8, "clip": [-1.0, 3.0]}


@pytest.mark.parametrize(
    ("rule", "exported"),
    [
        ({"rule": "percentiles"}, {"rule": "percentiles", "low": 1.0, "high": 99.8}),
        ({"rule": "divide", "by": 255}, {"rule": "divide", "by": 255}),
        (rule_of_training((90.0, 900.0), []), {"rule": "fixed", "ranges": [[90, 900]], "clip": [-1, 3]}),
        (
            {"rule": "source", "clip": [-1, 3], "sources": {}, "pooled": [[1, 2]]},
            {"rule": "fixed", "ranges": [[1, 2]], "clip": [-1, 3]},
        ),
    ],
)
def test_each_rule_is_told_in_words_that_other_programs_have(rule, exported):
    model = model_files.Model(None, ("0",), rule)
    assert module.exported_rule(model, {"percentile_low": 1.0, "percentile_high": 99.8}) == exported


def test_it_lies_below_the_models_generation_and_goes_with_it(dataset, stage):
    path = export_model(dataset, "unet", "torch")
    generation = model_of(dataset, "unet").committed().generation
    assert path == f"{dataset.url}/models/unet/{generation}/exports/unet.pt2"
    assert stage.all(dataset) == []  # nothing became stale
    set_values(dataset, {"train.seed": 1})
    stage(dataset, "train")
    assert not Folder(path).exists()


def test_nothing_is_overwritten(dataset, tmp_path):
    path = export_model(dataset, "unet", "torch", str(tmp_path))
    assert path == str(tmp_path / "unet.pt2")
    before = (tmp_path / "unet.pt2").read_bytes()
    for to in (str(tmp_path), path):
        with pytest.raises(ValueError, match=r"must go where nothing is, got .*unet\.pt2; remove it, or choose"):
            export_model(dataset, "unet", "torch", to)
    assert (tmp_path / "unet.pt2").read_bytes() == before
    assert export_model(dataset, "unet", "torch", str(tmp_path / "new/other.pt2")) == str(tmp_path / "new/other.pt2")


def test_a_model_that_is_not_there_is_named_with_those_that_are(dataset):
    with pytest.raises(LookupError, match=r"model 'nobody' must be in .*, got unet"):
        export_model(dataset, "nobody", "torch")


def test_a_missing_package_is_told_before_anything_is_loaded(dataset, monkeypatch):
    monkeypatch.setattr(exports, "NEEDS", {"onnx": ("onnx_that_is_not_there",)})
    with pytest.raises(ImportError, match=r"pip install 'unet-flows\[onnx\]'"):
        export_model(dataset, "nobody", "onnx")


def test_the_example_is_the_middle_of_a_validation_plane(dataset, level):
    model, metadata = model_files.load(dataset, "unet"), model_of(dataset, "unet").attributes()
    example = example_of(dataset, metadata, model)
    (part,) = (part for part in (PlaneRange(**p) for p in metadata["split"]) if part.use == "validation")
    context = model.network.architecture.context
    plane = level(image_of(dataset, part.stack))[(part.start + part.stop) // 2]
    inner = example.pixels[0, context:-context, context:-context]
    assert inner.shape == (64, 64)
    np.testing.assert_array_equal(inner, plane)
    assert example.origin.startswith("the middle of plane ")
    assert part.stack in example.origin


def test_without_images_the_example_is_drawn(dataset, tmp_path, make):
    source = dataset.model("unet")
    bare = Dataset(str(tmp_path / "bare"))
    bare.record.write(dataset.record.read())
    bring_in(bare, source, "guest")
    example = example_of(bare, model_of(bare, "guest").attributes(), model_files.load(bare, "guest"))
    assert "drawn" in example.origin
    assert (
        loaded(export_model(bare, "guest", "torch"))[1]["normalisation"]["low"]
        == read_record(bare).ingest.percentile_low
    )


def test_pixels_that_are_not_finite_are_none_of_an_example():
    frame = np.ones((8, 8), np.float32)
    frame[4, 4], frame[3, 3] = np.nan, np.inf
    taken = module._middle(Plane(frame[np.newaxis], ((0,),)), Architecture(depth=1, padding="same"))
    assert sorted(np.unique(taken)) == [0, 1]


def test_onnx_runs(dataset):
    runtime = pytest.importorskip("onnxruntime", reason="needs pip install 'unet-flows[onnx]'")
    pytest.importorskip("onnxscript", reason="needs pip install 'unet-flows[onnx]'")
    session = runtime.InferenceSession(export_model(dataset, "unet", "onnx"), providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).standard_normal((2, 1, 64, 32)).astype(np.float32)
    network = model_files.load(dataset, "unet").network.eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(image)).numpy()
    np.testing.assert_allclose(session.run(None, {"image": image})[0], expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.filterwarnings(
    "ignore:`torch.jit:DeprecationWarning",  # the format's reader loads TorchScript
    "ignore:unclosed file:ResourceWarning",  # and leaves closing to the garbage collector
    "ignore::pytest.PytestUnraisableExceptionWarning",
)
def test_a_package_passes_its_readers_test_and_tells_the_training_record(dataset, tmp_path):
    core = pytest.importorskip("bioimageio.core", reason="needs pip install 'unet-flows[bioimageio]'")
    path = export_model(dataset, "unet", "bioimageio", str(tmp_path), Signature("CC-BY-4.0", ("Ada L.",)))
    summary = core.test_model(path)
    assert summary.status == "passed", summary.format()
    with ZipFile(path) as file:
        readme = file.read("README.md").decode()
    figure = report_of(dataset, "unet").attributes()["validation"]["iou"]
    assert f"- iou: {figure['value']:.3f} ({figure['low']:.3f} – {figure['high']:.3f}, n = {figure['n']}" in readme
    assert "training 1 stack (2 planes), validation 1 stack (2 planes)" in readme
    assert "40 steps of adam" in readme
    assert "y 0.5 micrometer" in readme


def test_figures_of_another_generation_are_not_told(dataset, monkeypatch):
    said = []
    monkeypatch.setattr(module, "require_packages", lambda form: None)
    monkeypatch.setattr(
        module.bioimageio_package, "package", lambda network, pixels, described: said.append(described) or b""
    )
    report = dataset.report("unet") / "metrics.json"
    export_model(dataset, "unet", "bioimageio", f"{dataset.url}/first.zip")
    report.write_json({**report.read_json(), "digests": {"model": "another"}})
    export_model(dataset, "unet", "bioimageio", f"{dataset.url}/second.zip")
    first, second = (described.documentation for described in said)
    assert "iou" in first
    assert "iou" not in second
    assert "it was not evaluated" in second


def test_the_command_says_where_the_file_is_and_what_is_wrong(dataset, tmp_path, monkeypatch, capsys):
    from flows.commands.app import main

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["unet-flows", "export", dataset.url, *words])
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code
        said = capsys.readouterr()
        return status, said.out.strip(), said.err

    target = str(tmp_path / "unet.pt2")
    assert run("unet", "--format", "torch", "--to", target) == (0, target, "")
    assert torch.export.load(io.BytesIO((tmp_path / "unet.pt2").read_bytes()))
    for words, status, what in [
        (("unet", "--format", "torch", "--to", target), 2, "must go where nothing is"),
        (("nobody", "--format", "torch"), 2, "model 'nobody' must be in"),
        (("unet", "--format", "caffe"), 2, "caffe"),
    ]:
        got, out, err = run(*words)
        assert (got, out) == (status, "")
        assert what in err
        assert "Traceback" not in err
    monkeypatch.setattr(exports, "NEEDS", {"onnx": ("onnx_that_is_not_there",)})
    got, _, err = run("unet", "--format", "onnx")
    assert (got, len(err.strip().splitlines())) == (1, 1)
    assert "pip install 'unet-flows[onnx]'" in err
