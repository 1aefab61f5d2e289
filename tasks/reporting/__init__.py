"""What are people shown?

`progress` while work goes on, on a terminal and in the Prefect UI; `artifacts` puts a page there; `summary` is the one
page of a run, with small pictures of `gallery`.
A report: `scored_parts` says which planes it is of and `chosen_metrics` by what, `comparison` scores each,
`mean_figures` sums them up, `part_notes` says what they are worth, `planes_table` lists them,
`run_facts` says what was run on what, `unjudged_stacks` what lies there without truth, `viewers` how to look at it;
`report_contents` makes the page and `metrics.json` of it, with the pictures of `report_pictures`.
"""
