"""Where does a dataset lie, and who is at it?

`filesystem` reaches folders on this machine and elsewhere, `safe_load` reads their YAML and JSON, `folder` knows
which path each name stands for, `snapshot` looks at a whole folder once. `record_file` reads and edits
`dataset.yaml`, `sources` finds the stacks of its sources by `source_walk`, which follows links, and `stack_names`;
`declared_suffixes`: which files plugins of bioio read; `source_notes` says what looks wrong about them.
`arrivals` tells finished files from growing ones, `user_place` is the folder of who runs this, `lease` keeps two runs
from doing the same work.

Light: nothing here imports numpy, scipy, torch, zarr or dask.
"""
