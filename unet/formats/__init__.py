"""What did a microscope write?

`stack` is what every reader gives: axes, sizes, channels, and one plane at a time. `tiff` reads TIFF and OME-TIFF,
`file_colours` the colours of its channels, `png` PNG; `readers` finds the reader of a file by its suffix, and opens
slices as one stack. `completeness`: whether a file is whole yet.
"""
