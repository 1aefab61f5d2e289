"""Values in, values out: what is true of an array, a tensor or an open store. No Prefect below this line.

The modules stand on stairs, each importing only from the stairs below it:

1. plain integers and records: `records`, `architecture`, `tiles`, `layout`, `folder`, `ledger`, `sources`
2. arrays: `mirror`, `weights`, `labels`, `metrics`, `statistics`, `tables`, `pictures`, `phantom`
3. tensors: `model`, `loss`, `augment`, `inference`, `training`
4. stores: `readers`, `ome`, `blockwise`, `models`

The first stair imports neither numpy nor torch, zarr or dask, so that `--help` and `status` answer at once.
"""
