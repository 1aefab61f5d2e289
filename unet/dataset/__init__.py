"""Where does a dataset lie, and who is at it?

`filesystem` reaches folders on this machine and elsewhere, `safe_load` reads their YAML and JSON, `folder` knows
which path each name stands for, `snapshot` looks at a whole folder once. `record_file` reads and edits
`dataset.yaml`.

`sources` finds the stacks of the sources: `image_kinds` are the suffixes that are read (of plugins:
`declared_suffixes`), `source_paths` what a person wrote, `source_walk` all files below, `zarr_folders` the images in an
OME-Zarr (`zarr_nodes`: its metadata and files), `source_groups` files that are one stack, `source_truth` the labels, by
names that `truth_suffixes` knows; `source_presence` says which places are away, `stacks` what a stack is, `stack_names`
what it is called, and `source_notes` what looks wrong about them.

Single planes become stacks by their names, `name_patterns`, of which `pattern_guess` finds one, or by the index of a
plate: `plates`, which `plate_indexes` reads, and `imagexpress` by names; `plane_grids` says which are missing, and
`plane_sources` which way a source's files go.

`arrivals` tells finished files from growing ones, `user_place` is the folder of who runs this, `lease` keeps two runs
from doing the same work.

Light: nothing here imports numpy, scipy, torch, zarr or dask.
"""
