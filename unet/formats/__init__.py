"""What did a microscope write?

`stack` is what every reader gives: axes, sizes, channels, and one plane at a time. `readers` finds the reader of a file
by its suffix, and opens files of single planes as one stack; `stated`: what a person or an index says of it instead.
`ome_zarr` reads the full level of an OME-Zarr, `ome_zarr_metadata` what it says of itself; `linking` has it read in
place. `completeness`: whether a file is whole yet; `guarded`: whose disk failed. Of truth, `label_channel` makes one
channel of labels saved as pictures, `label_colours` a number of each colour, `class_table` reads the classes of ids,
`outlines` fills in what was drawn as outlines, which `imagej_rois` and `geojson`
read.

`tiff` reads TIFF, OME-TIFF, LSM, STK and whole slides: `ome_files`: in which files the planes of an OME-TIFF lie;
`micro_manager`: what its sets may name; `tiff_metadata`: what a TIFF says of its pixels; `tiff_extent`: how far its
series go; `tiff_plausibility`: whether it can hold what it claims; `pixel_sizes`: which sizes are believed;
`file_colours`: in which colours its channels are shown. `png` and `jpeg` read single planes.

`index_files`: which planes are opened by an index beside them. Of makers' own formats `unet.vendors` has the readers.
"""
