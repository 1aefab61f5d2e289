"""Names in, outcomes out: open what a name stands for, call `unet`, write the result, commit it.

One module a stage, in the order of the road: `ingest`, `weigh`, `train` (with `training_planes`), `predict` (with
`predict_regions`), `segment`, `evaluate`; each has a plain function for one stack, and a Prefect task for a batch of
them. `tuning` finds settings of segment by truth, `parity` what half precision changes; `benchmark` prepares a fold
of a benchmark, and scores it. `policy` says what is retried, how long a task may take and how it is tagged.

Below: `execution`, who computes; `reporting`, what people are shown; `tools`, what the command line calls outside of
the pipeline. An arrow says who may import whom: tools ▶ stages ▶ policy ▶ reporting ▶ execution.
"""
