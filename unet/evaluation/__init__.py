"""How good is it, and how is it shown?

`contingency`: which truth and which segments overlap by how much. `metrics`: every figure, and the list of those that a
report shows; `pixel_pairs` and `warping` have the ones of the ISBI 2012 challenge. `intervals`: how sure a mean is,
`parts`: of which data it is.
`confusion`: which class was taken for which; `class_figures`: what a report says of each class.
`paired`: by how much one model is better than another. `history`: what became of models over time.
`drift`: how far a stack differs from those of training, `stamped_values`: as stamps tell.
`object_errors`: what became of each object. `pictures` draws overlays, `error_pictures` what became of which object in
them, `page_pictures` makes them small enough for a page. `plot_sums`: what plots are made of, `svg_plots` draws them,
`report_plots` says of what, `tuning_words` how settings of segment were found. `report_tables` plans what is written,
in the words of `report_words`; `report` fills the page.
"""
