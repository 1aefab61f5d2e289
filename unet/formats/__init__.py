"""What did a microscope write?

`stack` is what every reader gives: axes, sizes, channels, and one plane at a time. `tiff` reads TIFF and OME-TIFF,
`png` PNG; `ome_files`: in which files the planes of an OME-TIFF lie; `micro_manager`: what its sets may name;
`tiff_metadata`: what a TIFF says of its pixels; `tiff_plausibility`: whether it can hold what it claims; `pixel_sizes`:
which sizes are believed; `file_colours`: in which colours its channels are shown. `ome_zarr` reads the full
level of an OME-Zarr, and `ome_zarr_metadata` what it says of itself. `readers` finds the reader of a file by its
suffix, and opens files of single planes as one stack; `stated`: what a person or an index says of it instead.
Of truth, `label_channel` makes one channel of labels saved as pictures, `outlines` fills in what was drawn as outlines,
which `imagej_rois` and `geojson` read. `completeness`: whether a file is whole yet.
"""
