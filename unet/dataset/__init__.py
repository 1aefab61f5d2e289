"""Where does a dataset lie, and who is at it?

`filesystem` reaches folders on this machine and elsewhere, `safe_load` reads their YAML and JSON, `folder` knows
which path each name stands for, `snapshot` looks at a whole folder once. `record_file` reads and edits
`dataset.yaml`. `user_place` is the folder of who runs this, `lease` keeps two runs from doing the same work.

Light: nothing here imports numpy, scipy, torch, zarr or dask.
"""
