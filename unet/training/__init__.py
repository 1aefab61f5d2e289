"""How is a network trained?

`split` parts stacks, or planes of one, into training, validation and test; `stack_extents` says how a stack is cut.
`augment` varies a sample, `samples` draws them, those that show a rare class out of `class_places`, `loss` weighs them.
`devices` starts the processes that share a batch, `checkpoints` keeps what a killed training goes on from, `optimiser`
moves the parameters, `loop` makes the steps, and `train` is what callers call. `training_plane` is what is learnt from,
read window by window; it can be made of two arrays in memory.
Then `tuning` finds how scores become objects best: of those that the network gives what validates it
(`trained_scores`), beside its truth (`scored_truth`), of all objects or of each class (`found_objects`).
`score_parity` compares scores of two precisions.
"""
