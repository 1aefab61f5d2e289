"""The order of things: which stages run, over which stacks, with which settings.

`plan` decides from the stamps in the dataset what is stale and why, and `estimate` what making it takes, without
starting anything; `run` is what all flows share; then one flow a stage, `reprocess` over all of them, `demo`, and the
command line in front, with its `verbs`, which `ending` ends in a sentence. `watch` takes new stacks: `arrivals` says
which, `backlog` makes one of many late runs. `definitions` are what `serve` and `deploy` put on a server, with
`automations`; `unstick` tidies one. No pixel is touched here.
"""
