"""Names in, outcomes out: open what a name stands for, call `unet`, write the result, commit it.

`policy` says what is retried and how tasks are tagged, `progress` shows what is being done, `outcomes` is the loop
over names that every stage shares, `publish` shows a report in the Prefect UI, `summary` what a run did, with pictures
of `gallery`. Then one module a stage, in the order of the road: `ingest`, `weigh`, `train` (with `frames`), `predict`
(with `regions`), `segment`, `evaluate`, each with a plain function for one stack and a Prefect task for a batch of
them. `look`, `verify`, `export` (labels) and `export_model` serve the command line alone.
"""
