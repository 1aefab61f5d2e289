"""The order of things: which stages run, over which stacks, with which settings.

`plan` decides from the stamps in the dataset what is stale and why, and `estimate` what making it takes, without
starting anything; `run` is what all flows share; then one flow a stage, `reprocess` over all of them, `demo`, and the
command line in front, which `ending` ends in a sentence. `unstick` tidies a server. No pixel is touched here.
"""
