"""Law of the order: all files are read before anything is trained, and each fold is scored before the next trains."""

from types import SimpleNamespace

from flows import reproduce as reproduce_module


def test_all_folds_are_prepared_before_the_first_is_trained(monkeypatch):
    done = []
    doing = {"prepare_fold": lambda _, __, fold: done.append(("prepare", fold))}
    doing |= {"score_fold": lambda _, __, fold: done.append(("score", fold))}
    doing |= {"reprocess": lambda url: done.append(("train", url))}
    doing |= {"write_table": lambda _, folds: done.append(("table", *folds))}
    for name, what in doing.items():
        monkeypatch.setattr(reproduce_module, name, what)
    order = SimpleNamespace(dataset=lambda fold: SimpleNamespace(url=fold), counted=lambda fold: None)
    folds = [SimpleNamespace(fold=fold, is_prepared=fold == "b", pending=1) for fold in "abc"]
    reproduce_module._make(SimpleNamespace(order=order, units={}, folds=folds))
    of_each = [[("train", fold), ("score", fold), ("table", *"abc"[: n + 1])] for n, fold in enumerate("abc")]
    assert done == [("prepare", "a"), ("prepare", "c"), *of_each[0], *of_each[1], *of_each[2]]
