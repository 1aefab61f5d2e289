"""What is stale, and why; what would making it take? From stamps alone, without Prefect, numpy or torch.

`plan` compares every result's recipe with what it would be now: of the stacks in the `catalogue` (and `absent_stacks`,
which are not in it), by the `planner`; `stage_rules` finds the `status` of each stage, `general_notes` speak of all;
a model is made of its `training_set`. `session` holds a run's plan and lease, `estimate` says seconds and bytes,
`arrivals` which files in the sources are whole and new; `fetch` brings those of remote sources. `benchmark_plan` is of
a benchmark's folds, each a dataset.
"""
