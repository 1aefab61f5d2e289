"""What is true of label images?

`components` labels one block by runs, `seams` finds who touches whom across the faces of two blocks, `merging` joins
the labels of all blocks, `connected` is the three together. `declumping` parts clumps, `renumbering` deals the ids of
the whole, `measures` makes the table, `segment_table` that of an array in memory. `scores` reads what is labelled;
`instances` does it all, shard by shard.
"""
