"""A curve is drawn from trainings of a few steps: a line each, and a picture."""

import json
from itertools import product

from tests.bench import train_curves
from unet.settings.architecture import Architecture
from unet.settings.train import Training

TINY = Training(architecture=Architecture(base=2, depth=1, padding="same", norm="batch"), tile_size=16, batch_size=2)


def test_each_precision_seed_and_time_is_a_line_and_all_are_a_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train_curves, "SIDE", 64)
    monkeypatch.setattr(train_curves, "PLANES", 1)
    monkeypatch.setattr(train_curves, "STACKS", 2)
    monkeypatch.setattr(train_curves, "Training", lambda: TINY)
    words = "--minutes 0.0001 0.0002 --seeds 0 1 --precisions float32 bf16"
    train_curves.main([str(tmp_path / "curves"), *words.split()])
    lines = [json.loads(line) for line in (tmp_path / "curves/curves.jsonl").read_text("utf-8").splitlines()]
    expected = list(product((0.0001, 0.0002), (0, 1), ("float32", "bf16")))
    assert [(line["minutes"], line["seed"], line["precision"]) for line in lines] == expected
    assert all(line["steps"] == 20 and 0 <= line["ap"] <= 1 for line in lines)
    assert (tmp_path / "curves/curves.png").read_bytes().startswith(b"\x89PNG")
    assert "bf16, seed 1, 0.0002 min: 20 steps, AP" in capsys.readouterr().out
