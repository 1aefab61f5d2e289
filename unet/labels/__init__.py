"""What is true of label images?

`runs` cuts rows, `components` labels one block by them; `blocks` knows where a block lies, `seams` who touches whom
across the faces of two, `merging` joins the labels of all, `connected` is all of it together. `declumping` parts
clumps, `renumbering` gives the ids anew, `measures` sums up each segment, `segment_table` makes the table. `scores`
reads what is labelled; `instances` does it all, shard by shard, and `segmentation` in memory.
"""
