"""How good is it, and how is it shown?

`contingency`: which truth and which segments overlap by how much. `metrics`: every figure, made of that table alone;
`warping` is the one that is not. `pictures` draws overlays and plots, `report` fills the page.
"""
