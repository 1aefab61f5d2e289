"""What does training see of the truth?

`border_weights`: the weight map of Ronneberger et al. 2015. `two_nearest`: distances to the two nearest objects, in
compiled passes. `truth_check`: what looks like a slip of who drew the truth, from `checked_blocks`. `picture`: all of
it, to be looked at.
"""
