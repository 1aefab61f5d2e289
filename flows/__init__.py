"""The order of things: which stages run, over which stacks, with which settings.

`plan` decides from the stamps in the dataset what is stale and why, without starting anything; `run` is what all flows
share; then one flow a stage, `reprocess` over all of them, `demo`, and the command line in front. No pixel is touched
here.
"""
