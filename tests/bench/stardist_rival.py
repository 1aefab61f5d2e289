"""A StarDist from scratch, for `folds`: `PYTHON stardist_rival.py FOLDER SECONDS NAME …`, in an environment of its own.

Trains on the images of FOLDER/image with truth, for SECONDS, as StarDist's own example does (32 rays, grid 2, patches
of 256, flips, turns and grey values), keeps every fifth of them aside to find its thresholds, and writes the labels of
the images NAME … as FOLDER/stardist/NAME.npy.
"""

import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
import tifffile
from csbdeep.utils import normalize
from stardist.models import Config2D, StarDist2D


def augment(x, y):
    """A quarter turn or flip, and other grey values, as in the example."""
    turns, flips = np.random.randint(4), np.random.randint(2)
    x, y = (np.rot90(a, turns)[:, :: 1 - 2 * flips].copy() for a in (x, y))
    x = x * np.random.uniform(0.6, 2) + np.random.uniform(-0.2, 0.2)
    return x + 0.02 * np.random.normal(0, 1, x.shape), y


class UntilThen(tf.keras.callbacks.Callback):
    """End training when its time is over; the rate falls by halves over the time, as its example's does on plateaus."""

    def __init__(self, seconds):
        super().__init__()
        self.began, self.seconds = time.time(), seconds

    def on_train_batch_end(self, batch, logs=None):
        """Look at the clock."""
        part = (time.time() - self.began) / self.seconds
        self.model.optimizer.learning_rate.assign(3e-4 * (1 if part < 0.6 else 0.5 if part < 0.8 else 0.25))
        self.model.stop_training = part >= 1


def main():
    """One run."""
    folder, seconds, kept = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]

    def read(kind, name):
        return tifffile.imread(folder / kind / f"{name}.tif")

    names = sorted(path.stem for path in (folder / "truth").glob("*.tif"))
    pairs = [(normalize(read("image", n), 1, 99.8), read("truth", n).astype(np.int32)) for n in names]
    validation, training = pairs[4::5], [p for i, p in enumerate(pairs) if i % 5 != 4]
    config = Config2D(
        n_rays=32, grid=(2, 2), n_channel_in=1, train_patch_size=(256, 256), train_batch_size=4,
        train_epochs=10_000, train_steps_per_epoch=100, train_reduce_lr=None, train_tensorboard=False,
    )  # fmt: skip
    model = StarDist2D(config, name="stardist", basedir=str(folder / "stardist-model"))
    model.prepare_for_training()
    model.callbacks.append(UntilThen(seconds))
    model.train(*zip(*training, strict=True), validation_data=tuple(zip(*validation, strict=True)), augmenter=augment)
    model.optimize_thresholds(*zip(*validation, strict=True))
    (folder / "stardist").mkdir(exist_ok=True)
    for name in kept:
        labels, _ = model.predict_instances(normalize(read("image", name), 1, 99.8))
        np.save(folder / "stardist" / f"{name}.npy", labels)


if __name__ == "__main__":
    main()
