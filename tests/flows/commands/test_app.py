"""The command line where no flow runs: what is wrong becomes one sentence and a status, and trying changes nothing."""

import json
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from flows.server.unstick import Stuck
from unet.dataset.folder import Dataset
from unet.dataset.lease import Holder
from unet.dataset.record_file import read_record, set_values
from unet.ledger.found_settings import found_with
from unet.ledger.outcome import set_aside
from unet.ledger.results import weights_of


@pytest.fixture
def image(tmp_path):
    """A folder of one image."""
    (tmp_path / "image").mkdir()
    tifffile.imwrite(tmp_path / "image/a.tif", np.arange(32 * 24, dtype=np.uint16).reshape(32, 24))
    return tmp_path / "image"


def refused(answer, *words, status=2):
    """Status 2, nothing on stdout, one sentence on stderr that says all of `words`."""
    got, out, err = answer
    assert got == status, (out, err)
    assert out == ""
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1, err
    for word in words:
        assert word in err


def test_a_source_that_is_missing_or_empty(run, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(run("init", tmp_path / "d", "--images", tmp_path / "nowhere"), "existing folder or file", "nowhere")
    refused(run("init", tmp_path / "d", "--images", tmp_path / "empty"), "must hold image files, got none")
    assert not (tmp_path / "d").exists()


def test_what_names_hold_is_shown_and_never_obeyed_by_the_terminal(run, tmp_path, stage):
    """A cursor that moves, a colour, a line that is written over, text that runs backwards."""
    nasty, seen = "a\x1b[2J\rb\x9bc\u202efit", "a\\x1b[2J\\rb\\x9bc\\u202efit"
    (tmp_path / "image").mkdir()
    (tmp_path / f"image/{nasty}.tif").write_bytes(b"no image")
    (tmp_path / f"image/{nasty}-2.tif").symlink_to("/nowhere")
    told = [run("init", tmp_path / "d", "--images", tmp_path / "image")]
    dataset = Dataset(str(tmp_path / "d"))
    (outcome,) = stage(dataset, "ingest")
    assert outcome.state == "set aside"
    assert seen in outcome.why
    told += [run("status", dataset.url), run("status", dataset.url, "--json"), run("status", f"{tmp_path}/{nasty}")]
    for _, out, err in told:
        assert re.findall("[\x1b\r\x9b\u202e]", out + err) == []
        assert "[2J" in out + err
    assert json.loads(told[2][1])["set_aside"][0]["why"] == outcome.why


@pytest.mark.parametrize("name", ["a[/red]", "a\\[/red]", "a\\\\[red]", ":smile:[link=http://elsewhere]", "a[\\"])
def test_names_that_look_like_markup_are_shown_as_they_are(run, tmp_path, name):
    status, _, err = run("status", f"{tmp_path}/{name}")
    assert status == 2
    assert f"error: {tmp_path}/{name} must be a dataset" in err


def test_a_source_that_went_missing_after_init(run, tmp_path, image):
    assert run("init", tmp_path / "d", "--images", image)[0] == 0
    image.rename(tmp_path / "moved")
    for verb in ("status", "reprocess", "ingest"):
        refused(run(verb, tmp_path / "d"), "images must name an existing folder or file")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("wiegh.sigma=4", ["wiegh is no setting", "did you mean weigh?"]),
        ("weigh.sgma=4", ["weigh.sgma is no setting", "did you mean sigma?"]),
        ("segment.threshold=1.5", ["segment", "threshold must be 0 < threshold ≤ 1, got 1.5"]),
        ("weigh.sigma=-1", ["weigh", "sigma must be > 0 pixels, got -1"]),
        ("segment.dimensions=4", ["segment.dimensions", "4"]),
        ("segment.threshold", ["a change must be section.key=value, got 'segment.threshold'"]),
        ("segment.threshold=[", ["segment.threshold"]),
        ("train.name=../../x", ["train", "name must be letters, digits, - and _"]),
    ],
)
@pytest.mark.parametrize("verb", ["reprocess", "segment"])
def test_a_wrong_setting_is_refused_and_the_record_stays(run, dataset, verb, change, words):
    before = dataset.record.read()
    refused(run(verb, dataset.url, "--set", change), *words)
    assert dataset.record.read() == before


def test_names_that_collide(run, tmp_path, image):
    (image / "A.tif").write_bytes((image / "a.tif").read_bytes())
    status, said, _ = run("init", tmp_path / "d", "--images", image)
    assert (status, "would bear its name" in said) == (0, True)


def test_inspect_says_what_files_hold(run, tmp_path, image):
    picture = tmp_path / "first.png"
    status, said, _ = run("inspect", image, "--picture", picture)
    assert (status, f"{image.resolve()}/a.tif" in said, picture.read_bytes()[:4]) == (0, True, b"\x89PNG")
    status, said, _ = run("inspect", image / "a.tif", "--json")
    (values,) = json.loads(said)
    assert values["files"] == [f"{image.resolve()}/a.tif"]
    (image / "b.tif").write_bytes(b"II*\0")
    assert run("inspect", image)[0] == 1


def test_options_of_init_become_settings_of_the_source(run, tmp_path, image):
    how = ("--pixel-size", "z=0.5,0.1", "--channels", "DAPI", "--prefix", "day1-", "--foreground", "255")
    status, said, _ = run("init", tmp_path / "d", "--images", image, *how)
    (source,) = read_record(Dataset(str(tmp_path / "d"))).sources
    assert (status, source.pixel_size) == (0, {"z": 0.5, "y": 0.1, "x": 0.1})
    assert (source.channels, source.prefix, source.foreground) == (("DAPI",), "day1-", 255)
    assert "day1-a: " in said
    refused(run("init", tmp_path / "d", "--images", image, "--pixel-size", "wide"), "--pixel-size must be like 0.1")
    refused(run("init", tmp_path / "d", "--images", image, "--axes", "zz"), "axes must be some of t c z y x")


def test_options_of_classes_become_settings_of_the_source(run, tmp_path, image):
    labels = (tifffile.imread(image / "a.tif") > 0).astype(np.uint8)
    for name in ("nucleus", "mitosis"):
        (tmp_path / name).mkdir()
        tifffile.imwrite(tmp_path / name / "a.tif", labels * (name == "nucleus"))
    places = [word for name in ("nucleus", "mitosis") for word in ("--truth", f"{name}={tmp_path / name}")]
    status, said, _ = run("init", tmp_path / "d", "--images", image, *places)
    (source,) = read_record(Dataset(str(tmp_path / "d"))).sources
    assert (status, list(source.truth)) == (0, ["nucleus", "mitosis"])
    assert "truth is read with a folder a class" in said
    how = ("--truth", tmp_path / "nucleus", "--foreground", "classes", "--classes", "1=nucleus,2=mitosis")
    assert run("init", tmp_path / "e", "--images", image, *how, "--classes", "255=ignore")[0] == 0
    (source,) = read_record(Dataset(str(tmp_path / "e"))).sources
    assert source.table == {1: "nucleus", 2: "mitosis", 255: "ignore"}
    assert "1: nucleus" in (tmp_path / "e/dataset.yaml").read_text()
    for wrong, words in {
        ("--classes", "nucleus"): "--classes must be like 1=nucleus,2=mitosis, got nucleus",
        ("--classes", "1=a,1=b"): "--classes must name each once, got 1, 1",
        ("--classes", "1=a"): "foreground must be classes where",
        ("--foreground", "classes"): "classes must name what stands for each class",
        ("--truth", f"a={tmp_path / 'nucleus'}"): "--truth must be like nucleus=DIR --truth mitosis=DIR",
        ("--class-of", "x"): "classes must name what stands for each class",
    }.items():
        refused(run("init", tmp_path / "f", "--images", image, "--truth", tmp_path / "nucleus", *wrong), words)


@pytest.mark.parametrize("verb", ["status", "reprocess", "ingest", "evaluate"])
def test_a_folder_that_is_no_dataset(run, tmp_path, verb):
    refused(run(verb, tmp_path / "nothing"), "must be a dataset, got a folder without dataset.yaml", "unet-flows init")
    assert not (tmp_path / "nothing").exists()


def test_a_record_that_is_no_yaml(run, dataset):
    dataset.record.write(b"segment: {threshold: 0.5")
    refused(run("status", dataset.url), "dataset.yaml must be YAML")


def test_names_and_stages_that_are_unknown(run, dataset):
    refused(run("segment", dataset.url, "--only", "z"), "got 'z'; known: a, b, c")
    refused(run("reprocess", dataset.url, "--only", "a", "--only", "z"), "got 'z'")
    refused(run("reprocess", dataset.url, "--force", "sgment"), "got 'sgment'", "segment")
    refused(run("remove", dataset.url, "z", "--yes"), "got 'z'")
    refused(run("export-labels", dataset.url, "--to", dataset.url, "--only", "z"), "got 'z'")


@pytest.mark.parametrize("words", [["sgement", "x"], ["status"], ["init", "x"], ["status", "x", "--nonsense"]])
def test_a_command_that_is_wrong(run, words):
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert "Traceback" not in err


def test_status_tells_what_was_set_aside_and_ends_with_1(run, tmp_path, dataset):
    assert run("status", dataset.url)[0] == 0
    recipe = weights_of(dataset, "a").committed().recipe
    set_values(dataset, {"weigh.sigma": 4.0})
    from unet.ledger.recipes import weigh_recipe

    set_aside(dataset, weigh_recipe(dataset, "a", read_record(dataset).weigh), "a", ValueError("a is odd [sic]"))
    status, out, err = run("status", dataset.url)
    assert status == 1
    assert "set aside a at weigh: a is odd [sic]" in " ".join(err.split())
    assert "set aside" in out
    status, out, _ = run("status", dataset.url, "--json")
    values = json.loads(out)
    assert status == 1
    assert [(cell["stage"], cell["name"], cell["why"]) for cell in values["set_aside"]] == [
        ("weigh", "a", "a is odd [sic]")
    ]
    assert {cell["state"] for cell in values["results"]} == {"fresh", "stale", "set aside"}
    assert recipe.settings["sigma"] == 5.0


def test_status_warns_of_odd_truth_and_counts_it_by_stack(run, dataset):
    odd = {"objects": 9, "planes": 2, "holes": {"count": 2, "examples": [{"plane": 1, "id": 7, "y": 3, "x": 9}]}}
    for name in "ab":
        weights_of(dataset, name).amend({"truth": odd})
    status, _, err = run("status", dataset.url)
    assert status == 0
    assert "truth: 4 holes in 2 stacks (first: a, plane 1, id 7 at y 3 x 9); training takes them" in err
    counts = json.loads(run("status", dataset.url, "--json")[1])["truth"]
    assert list(counts) == ["a", "b"]
    assert (counts["b"]["objects"], counts["b"]["holes"], counts["b"]["specks"]) == (9, 2, 0)


def test_a_second_run_says_quickly_that_there_is_nothing_to_do(run, dataset):
    for verb in ("reprocess", "ingest", "weigh", "train", "predict", "segment", "evaluate"):
        status, out, err = run(verb, dataset.url)
        assert (status, err) == (0, "")
        assert "all fresh" in out


def test_a_dry_run_tries_settings_and_leaves_the_record_as_it_is(run, dataset):
    before = dataset.record.read()
    status, out, _ = run("reprocess", dataset.url, "--dry-run", "--set", "segment.threshold=0.37")
    assert status == 0
    said = [re.split(" {2,}", line) for line in out.splitlines() if line.startswith(("segment", "evaluate"))]
    assert [words[:2] for words in said] == [
        ["segment", "a"], ["segment", "b"], ["segment", "c"], ["evaluate", "unet"]
    ]  # fmt: skip
    assert said[0][-1] == f"threshold {found_with(dataset, 'unet')['threshold']} → 0.37"
    assert dataset.record.read() == before
    assert re.fullmatch(r"[<\d. ]+ min", said[0][2])
    assert re.search(r"^4 results to make, minutes by past rates: .* min$", out, re.MULTILINE)
    assert re.search(r"^131.1 kB unpacked, about .* as they are written; .* are free, about .* are needed$", out, re.M)
    status, out, _ = run("reprocess", dataset.url, "--dry-run", "--json", "--set", "segment.threshold=0.37")
    assert json.loads(out)["disk"].keys() == {"bytes", "packed", "needed", "free"}
    assert [cell["bytes"] for cell in json.loads(out)["results"]] == [round(2 * 64 * 64 * 4 * 4 / 3)] * 3 + [0]
    assert [(cell["stage"], cell["state"]) for cell in json.loads(out)["results"]] == [
        ("segment", "stale"), ("segment", "stale"), ("segment", "stale"), ("evaluate", "stale")
    ]  # fmt: skip
    assert dataset.record.read() == before


def test_a_run_that_would_not_fit_the_disk_is_refused_before_a_server_starts(run, dataset, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    monkeypatch.setattr("flows.server.address.configure", lambda: pytest.fail("a server is started"))
    words = ["the disk must have about", "free for 4 results, got 1.0 kB; free some"]
    set_values(dataset, {"segment.threshold": 0.37})
    refused(run("reprocess", dataset.url), *words, status=1)
    assert run("reprocess", dataset.url, "--dry-run")[0] == 0
    set_values(dataset, {"segment.threshold": "auto"})
    assert run("reprocess", dataset.url)[0] == 0


def test_a_dataset_that_another_run_works_on_is_left_alone(run, dataset, monkeypatch):
    monkeypatch.setattr("flows.server.address.configure", lambda: pytest.fail("a server is started"))
    holder = Holder.now("train")
    (dataset / "lease.json").write_json(vars(replace(holder, machine="elsewhere/1")))
    assert run("reprocess", dataset.url)[0] == 0  # nothing is to be done
    set_values(dataset, {"segment.threshold": 0.37})
    words = ["is worked on by train of process", "on elsewhere, since", "--wait"]
    for command in (["reprocess", dataset.url], ["segment", dataset.url], ["remove", dataset.url, "c", "--yes"]):
        refused(run(*command), *words, status=1)
    assert run("reprocess", dataset.url, "--dry-run")[0] == 0
    assert dataset.image("c").exists()


def test_a_server_asks_for_a_password_unless_it_is_told_not_to(run, dataset, monkeypatch):
    served = []
    monkeypatch.setattr("flows.server.serve.serve", lambda service, say: served.append(service))
    assert run("serve", dataset.url)[0] == 0
    assert run("serve", dataset.url, "--no-auth", "--name", "lab.example", "--name", "lab")[0] == 0
    assert [(service.auth, service.names) for service in served] == [(True, ()), (False, ("lab.example", "lab"))]


def test_unstick_asks_a_server_that_runs(run, monkeypatch):
    monkeypatch.setattr("flows.server.address.configure", lambda: "an ephemeral server")
    refused(run("unstick"), "a Prefect server must be running, got none; set PREFECT_API_URL")
    monkeypatch.setattr("flows.server.address.configure", lambda: "http://lab:4200/api")
    stuck = Stuck("7f", "reprocess d", "pending", "2026-11-22T20:00:00Z")
    monkeypatch.setattr("flows.server.unstick.unstick", lambda minutes, dry_run: [stuck])
    words = "pending since 2026-11-22T20:00:00Z: reprocess d (7f)\n1 runs would be called crashed\n"
    assert run("unstick", "--dry-run") == (0, words, "")
    assert json.loads(run("unstick", "--json")[1]) == [vars(stuck)]


def test_set_edits_the_record_keeps_its_comments_and_shows_the_change(run, dataset):
    keys = ("predict:", "max_tile:", "memory_gb:")  # what was a commented default is one no more
    comments = [line for line in dataset.record.read().decode().splitlines() if line.startswith("#")]
    comments = [line for line in comments if not line.lstrip("# ").startswith(keys)]
    status, out, err = run("reprocess", dataset.url, "--set", "predict.max_tile=512", "--set", "train.memory_gb=1.5")
    assert status == 0
    assert err.splitlines() == ["predict.max_tile: None → 512", "train.memory_gb: 2.0 → 1.5"]
    assert "all fresh" in out
    record = read_record(dataset)
    assert (record.predict.max_tile, record.train.memory_gb) == (512, 1.5)
    after = dataset.record.read().decode().splitlines()
    assert len(comments) > 20
    assert [line for line in comments if line not in after] == []


def test_import_remove_and_export_labels(run, tmp_path, dataset):
    status, out, err = run("import", dataset.url, dataset.model("unet").url, "--as", "guest")
    assert status == 0
    assert "predict.model: None → guest" in err
    assert "guest is in" in out
    assert "good in bf16 as in float32 on a " in err
    assert read_record(dataset).model == "guest"
    refused(run("import", dataset.url, dataset.model("unet").url, "--as", "guest"), "a new name is needed, got 'guest'")
    refused(run("import", dataset.url, tmp_path, "--as", "other"), "must be a model folder with a model.json")
    refused(run("import", dataset.url, dataset.model("unet").url, "--as", "../x"), "'../x'")
    assert read_record(dataset).model == "guest"
    refused(run("export-labels", dataset.url, "--to", tmp_path / "out"), "must hold segments of guest, got none")

    (tmp_path / "half.pth").write_bytes(b"PK")
    refused(run("import", dataset.url, tmp_path / "half.pth", "--as", "other"), "half.pth must be a whole checkpoint")
    set_values(dataset, {"predict.model": "unet"})
    status, out, _ = run("export-labels", dataset.url, "--to", tmp_path / "out", "--only", "b")
    assert (status, out.split()) == (0, [f"{tmp_path}/out/b.tif", f"{tmp_path}/out/b.csv"])
    status, out, err = run("export-labels", dataset.url, "--to", tmp_path / "out", "--only", "b")
    assert (status, out) == (1, "")
    assert f"kept, as they were there: {tmp_path}/out/b.tif, {tmp_path}/out/b.csv; --overwrite" in err
    assert run("export-labels", dataset.url, "--to", tmp_path / "out", "--only", "b", "--overwrite")[0] == 0
    refused(run("export-labels", dataset.url, "--to", tmp_path / "copy/files/image"), "--to must be neither in")

    status, out, _ = run("remove", dataset.url, "c", "--yes")
    assert (status, out.strip()) == (0, "c is forgotten")
    assert read_record(dataset).exclude == ("c",)
    assert [folder.url for folder in dataset.all_of("c") if folder.exists()] == []
    assert (tmp_path / "copy/files/image/c.ome.tif").exists()
    assert run("reprocess", dataset.url)[0] == 0


def test_import_a_checkpoint_and_predict_rgb_images_with_it(run, tmp_path, stage, level):
    """What comes out are the network's scores of the image divided by 255."""
    import torch

    from unet.ledger.results import scores_of
    from unet.network.inference import predict_image
    from unet.network.milesial import _their_name
    from unet.network.unet import UNet
    from unet.settings.architecture import Architecture

    network = UNet(Architecture(3, 2, 2, padding="same", norm="batch")).eval()
    torch.save({_their_name(k, False): v for k, v in network.state_dict().items()}, tmp_path / "theirs.pth")
    (tmp_path / "image").mkdir()
    pixels = np.random.default_rng(0).integers(20, 180, (40, 60, 3)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "image/a.tif", pixels, photometric="rgb")
    run("init", tmp_path / "d", "--images", tmp_path / "image")
    status, out, err = run("import", tmp_path / "d", tmp_path / "theirs.pth", "--as", "theirs")
    assert (status, out) == (0, f"theirs is in {tmp_path}/d/models/theirs; next: unet-flows reprocess {tmp_path}/d\n")
    notes = [line for line in err.splitlines() if line.startswith("note: ")]
    assert notes[0] == "note: form E of milesial's Pytorch-UNet, transposed, base 2"
    assert notes[1].startswith("note: images are divided by 255")
    assert not any("in bf16" in note for note in notes)  # no image is there yet

    dataset = Dataset(str(tmp_path / "d"))
    set_values(dataset, {"predict.dtype": "float32"})
    assert [outcome.state for name in ("ingest", "predict") for outcome in stage(dataset, name)] == ["done", "done"]
    expected = predict_image(network, np.moveaxis(pixels, -1, 0) / 255)
    assert expected.std() > 1e-4
    np.testing.assert_allclose(level(scores_of(dataset, "theirs", "a")), expected, rtol=0, atol=1e-6)


def test_status_shows_what_tells_long_names_apart(run, tmp_path, image):
    name = "Minimal-DataSet-2C-3W-4S-FP2-stack"
    for field in ("D08-f1", "D08-f2"):
        shutil.copy(image / "a.tif", image / f"{name}-{field}.tif")
    run("init", tmp_path / "d", "--images", image)
    _, out, _ = run("status", tmp_path / "d")
    shown = "".join(line.split(" missing ")[0].strip() for line in out.splitlines())
    assert f"{name}-D08-f1" in shown
    assert f"{name}-D08-f2" in shown


def test_init_then_status(run, tmp_path, image):
    status, out, err = run("init", tmp_path / "d", "--images", image)
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == f"1 stack in {image}, 0 with truth"
    assert Dataset(str(tmp_path / "d")).record.exists()
    status, out, _ = run("status", tmp_path / "d")
    assert status == 0
    assert "missing" in out


def test_one_stage_alone_with_nothing_before_it_is_refused(run, tmp_path, image):
    run("init", tmp_path / "d", "--images", image)
    refused(run("segment", tmp_path / "d"), "segment must find what the stages before it make", "reprocess")


def test_what_failed_before_and_stands_is_a_line_and_no_failure(run, dataset):
    from unet.ledger.recipes import weigh_recipe

    recipe = weigh_recipe(dataset, "a", read_record(dataset).weigh)
    set_aside(dataset, recipe, "a", ValueError("a is odd"))
    for words in (["reprocess"], ["weigh"], ["reprocess", "--dry-run"]):
        status, out, err = run(words[0], dataset.url, *words[1:])
        assert status == 0
        assert "1 set aside earlier still is: a; `unet-flows status` says why" in err
        assert "a is odd" not in out + err
    assert run("status", dataset.url)[0] == 1
