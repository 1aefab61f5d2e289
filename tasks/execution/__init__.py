"""Who computes, and what becomes of one bad name?

`outcomes`: the loop over names that every stage shares, `batches` those that share a task. `workers`: regions mapped
over threads or a cluster by one bounded loop; `dask_workers`: the cluster, `cluster_class` the kind of it. `pipeline`
reads, computes and writes at once, `timing` measures the seconds.
"""
