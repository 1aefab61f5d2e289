"""What did a microscope write?

`stack` is what every reader gives: axes, sizes, channels, and one plane at a time. `tiff` reads TIFF and OME-TIFF;
`readers` has PNG and slices, and finds the reader of a file by its suffix. `completeness`: whether a file is whole yet.
"""
