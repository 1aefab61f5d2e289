"""How good is it, and how is it shown?

`contingency`: which truth and which segments overlap by how much. `measure`: what a figure of that table is, for those
who have arrays. `object_errors`: what became of each object. `object_scores`, `pixel_scores`, `pixel_pairs` (with
`thinning`) and `warping`: the figures; `metrics`: the list of them all; `block_figures`: those of planes and volumes,
window by window. `intervals`: how sure a mean is, `parts`: of which data it is.
`challenge`: the boards of that challenge, at the best of its thresholds; `sequence_scores`: those of sequences.
`confusion`: which class was taken for which; `class_figures`: what a report says of each class.
`paired`: by how much one model is better than another. `history`: what became of models over time.
`drift`: how far a stack differs from those of training, `stamped_values`: as stamps tell.
`pictures` draws overlays, `error_pictures` what became of which object in
them, `page_pictures` makes them small enough for a page. `plot_sums`: what plots are made of, `svg_plots` draws them,
`report_plots` says of what, `tuning_words` how settings of segment were found. `report_tables` plans what is written,
in the words of `report_words`; `report` fills the page.
"""
