"""Which stacks lie in the sources?

`search` finds them by names alone, `source_files` their files; `stacks` says what a stack is, `stack_names` what it is
called. `paths` is what a person wrote, `walk` all files below, links followed, `presence` which places are away.
`image_kinds` are the suffixes that are read (of plugins: `declared_suffixes`), `zarr_folders` the images in an OME-Zarr
(`zarr_nodes`: its metadata and files), `groups` files that are one stack, `truth` the labels, by names that
`truth_suffixes` knows, `truth_parts` those of which the classes lie apart; `notes` says what looks wrong. `arrivals`
tells finished files from growing ones.

What lies at an address is copied to this machine: `mirror` says which copies are of now, `fetching` brings the others;
`remote_files` lists object stores, `http_pages` what web servers link to, `http_zarr` OME-Zarr on those that list
nothing, and `http_server` asks them. `remote_stacks` are those of which a copy is not what is there now.

Single planes become stacks by their names, `name_patterns`, of which `pattern_guess` finds one, or by the index of a
plate: `plates`, which `plate_indexes` reads, and `imagexpress` by names; `plane_grids` says which are missing, and
`plane_sources` which way a source's files go.

Light: nothing here imports numpy, scipy, torch, zarr or dask.
"""
