"""How does each maker of microscopes write?

One reader a format, as `unet.formats.stack` asks for it, loaded with the first file of its kind: `nd2` (Nikon), `czi`
(Zeiss; `czi_segments` looks before its library), `lif` (Leica, whose XLIF names `xlif_parts`), `ims` (Imaris), `dv`
(DeltaVision), `oif` (Olympus, whose OIB are a `compound_file`), `spe` (Princeton Instruments), `metamorph` (its ND).
`bioio_plugins`: the last resort.
"""
