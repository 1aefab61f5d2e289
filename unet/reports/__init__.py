"""How is it shown?

`report` fills the page, `report_tables` plans what is written there (numbers and names as `report_words` has them),
`class_figures` what of each class, `tuning_words`
how settings of segment were found; `history` keeps what became of models over time.
`plot_sums`: what plots are made of; `svg_plots` draws them, `report_plots` says of what.
`pictures` draws overlays, `error_pictures` what became of which object in them, `page_pictures` makes them small enough
for a page. `png_plots`: plots where no page draws them.
"""
