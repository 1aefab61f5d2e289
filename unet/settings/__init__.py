"""What may a person set? One frozen dataclass a stage, and the one record that `dataset.yaml` is read into.

One module a stage: `ingest`, `weigh`, `train` (with `architecture`, the network, and `augmentation`, how samples are
varied), `predict`, `segment` (with `segment_classes`, what it comes to for the classes of a model), `evaluate`.
`file_pattern`: what names of files say; `remote`: where sources may lie;
`classes`: what kinds of objects are called.
`cluster`: who may compute. `record` composes them, with the articles'
settings of `presets.yaml`; `validation` says in one sentence what is wrong, `renamed` which settings had another
name.

Light: nothing here imports numpy, scipy, torch, zarr or dask.
"""
