"""What is true of a plane of grey values?

`array_types` names the arrays that several rooms speak of. `windows`: rectangles of pixels, as plain integers.
`planes`: every plane goes on for ever, mirrored at its edges. `units` of pixel sizes. `value_counts`: how often each
value occurs in a plane. `block_statistics`: what stands out of a channel, and its noise. `detail`: how sharp it is.
`channel_statistics`: what a stamp keeps of a channel. `normalisation`: the grey values of a whole stack mapped to the
network's. `grey_values`: how a model does that, which knows its training stacks. `rescaling`: other pixel sizes.
`channel_colours`: what viewers show channels in. `empty_squares`: where there is nothing to see. `synthetic`: drawn
cells for tests and the demo.
"""
