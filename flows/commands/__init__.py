"""The command line: a verb's words in, a flow called, an exit status out.

`app` puts the verbs together: `sources` (what microscopes wrote), `stages` (the road of the data), `datasets` (look at
one, put it in order), `models` (in and out), `tuning` (settings found again), `over_time` (models compared, their
history, which is in use), `benchmarks` (a paper's table), `operations` (schedules, servers).
`options` is what they share, `work` carries out what was asked of a dataset, `show` prints, `ending` ends in a
sentence; `init` and `demo` are verbs too long to stand among the others.
"""
