"""What is true of label images?

`runs` cuts rows, `components` labels one block by them; `blocks` knows where a block lies, `seams` who touches whom
across the faces of two, `merging` joins the labels of all, `connected` is all of it together. `landscape` says how high
an object's pixels lie, `declumping` parts the clumps of a block by it, `renumbering` gives the ids anew, `clumps` lays
a block's parts into the whole array. `measures` sums up each segment by the loops of `run_sums`, `segment_table` makes
the table. `scores` reads what is labelled; `instances` does it all, shard by shard, with what `kept_blocks` has in
memory, and `segmentation` all in memory. `truth_values` are the ids that are kept of what people drew; where it has
classes, `class_values` knows which values stand for them, `classed_truth` and `truth_by_folder` keep them, and
`class_of_ids` tells the class of each id.
"""
