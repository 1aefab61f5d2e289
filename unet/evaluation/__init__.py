"""How good is it, and how is it shown?

`contingency`: which truth and which segments overlap by how much. `metrics`: every figure, and the list of those that a
report shows; `pixel_pairs` and `warping` have the ones of the ISBI 2012 challenge. `intervals`: how sure a mean is.
`challenge`: the boards of that challenge, at the best of its thresholds; `sequence_scores`: those of sequences.
`confusion`: which class was taken for which; `class_figures`: what a report says of each class.
`pictures` draws overlays and plots, `tuning_picture` how settings of segment were found, `report` fills the page.
"""
