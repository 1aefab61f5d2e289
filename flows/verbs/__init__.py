"""The verbs of the command line, by what a reader looks for; `flows.command_line` puts them together.

`options` is what they share, `work` carries out what was asked of a dataset; then `stages` (the road of the data),
`datasets` (look at one, put it in order), `models` (in and out) and `operations` (schedules, servers).
"""
