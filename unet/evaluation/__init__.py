"""How good is it, and how is it shown?

`contingency`: which truth and which segments overlap by how much. `measure`: what a figure of that table is, for those
who have arrays. `object_errors`: what became of each object. `object_scores`, `pixel_scores`, `pixel_pairs` (with
`thinning`) and `warping`: the figures; `metrics`: the list of them all; `block_figures`: those of planes and volumes,
window by window. `intervals`: how sure a mean is.
`confusion`: which class was taken for which; `class_figures`: what a report says of each class.
`pictures` draws overlays and plots, `tuning_picture` how settings of segment were found, `report` fills the page.
"""
