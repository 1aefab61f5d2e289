"""What may a person set? One frozen dataclass a stage, and the one record that `dataset.yaml` is read into.

`architecture` (the network) and `augmentation` (how samples are varied), then `record`: all sections and what refuses
nonsense in them, with the articles' settings in `presets.yaml`. `validation` and `faults` say what is wrong in one
sentence.

Light: nothing here imports numpy, scipy, torch, zarr or dask.
"""
