"""How good is it?

`contingency`: which truth and which segments overlap by how much. `measure`: what a figure of that table is, for those
who have arrays. `object_errors`: what became of each object. `object_scores`, `pixel_scores`, `pixel_pairs` (with
`thinning`) and `warping`: the figures; `metrics`: the list of them all; `block_figures`: those of planes and volumes,
window by window. `confusion`: which class was taken for which.
`challenge`: the boards of the ISBI 2012 challenge, at the best of its thresholds; `sequence_scores`: of sequences.
`intervals`: how sure a mean is, `parts`: of which data it is, `paired`: by how much one model is better than another.
`drift`: how far a stack differs from those of training, `stamped_values`: as stamps tell.
"""
