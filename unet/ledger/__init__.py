"""What was made of what?

`results`: recipes, stamps and generations, and the one act that commits a result. `fingerprint` tells whether files
changed, `recipes` says what each stage's result is made of, `versions` what a process computes with,
`truth_findings` what was odd about a stack's truth.

Light: nothing here imports numpy, scipy, torch, zarr or dask.
"""
