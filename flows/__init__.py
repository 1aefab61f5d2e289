"""The order of things: which stages run, over which stacks, with which settings. No pixel is touched here.

One flow a stage (`ingest`, `weigh`, `train`, `predict`, `segment`, `evaluate`), `reprocess` over all of them in order,
`watch`, which takes new stacks and then reprocesses, and `reproduce`, which makes a paper's table of several datasets.
`stage_run` is what all flows share; `backlog` makes one of many late runs.

Below: `planning`, what is stale and why, without starting anything; `server`, which Prefect server is used and what is
put on it; `commands`, the command line. An arrow says who may import whom: commands ▶ watch, reproduce ▶
reprocess ▶ stages ▶ stage_run ▶ planning, server.
"""
