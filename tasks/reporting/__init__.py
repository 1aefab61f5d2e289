"""What are people shown?

`progress` while work goes on, on a terminal and in the Prefect UI; `artifacts` puts a page there; `summary` is the one
page of a run, with small pictures of `gallery`. `report_pictures` draws those of a report, `comparison` the figures
beside each other.
"""
