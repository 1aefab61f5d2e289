"""What was made of what?

`stamp`: recipes and stamps, as plain values. `metadata_file` reads and puts them, `metadata_types`: what those files
must hold. `generations`: those in the making, and the one act that commits a result; `results`: where each lies;
`contents`: the files that it consists of, and what of them is lost. `outcome`: what became of a stack at a stage.
`hashing`: digests of what files hold. `fingerprint` tells whether files changed, `source_reading` whether they did
while they were read, `found_settings` what `auto` stands for with a model, `class_settings` how each of its classes is
segmented, `seen_images` which images a model has had to do with, `earlier_split` which stacks only test it.
`truth_state`: what became of truth, `source_fingerprints`: what its files and those of images hold; `recipes` says what
each stage's result is made of, `made_of` what a model is, and in what two differ;
`versions` what a process computes with, `truth_findings` what was odd about truth.

Light: nothing here imports numpy, scipy, torch, zarr or dask.
"""
