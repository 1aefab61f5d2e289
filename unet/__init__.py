"""Values in, values out: what is true of an array, a tensor or an open store. No Prefect below this line.

The modules stand on stairs, each importing only from the stairs below it:

1. plain integers and records: `addresses`, `architecture`, `augmentation`, `elapsed`, `faults`, `records`,
   `record_file`, `tiles`, `layout`, `numeric_plan`, `overlap`, `versions`, `elsewhere`, `folder`, `snapshot`, `ledger`,
   `lease`, `fingerprint`, `sources`, `arrivals`, `recipes`, `split`, `findings`, `report`
2. arrays: `mirror`, `rescaling`, `emptiness`, `statistics`, `nearest`, `weights`, `labels`, `components`, `seams`,
   `parts`, `clumps`, `parting`, `truth`, `tables`, `contingency`, `warping`, `metrics`, `pictures`,
   `weights_picture`, `phantom`
3. tensors: `model`, `milesial`, `loss`, `augment`, `samples`, `passes`, `inference`, `devices`, `checkpoints`,
   `course`, `training`, `exports`, `zoo`
4. stores: `store`, `ome`, `stack`, `tiff`, `readers`, `whole`, `blockwise`, `clusters`, `models`, `scores`,
   `instances`

The first stair imports neither numpy nor torch, zarr or dask, so that `--help` and `status` answer at once. The arrows
between the stairs are held by import-linter.
"""
