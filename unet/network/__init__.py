"""What is the network, and how does it predict?

`unet` is the module of torch. `tiles`, `block_sides` and `numeric_plan` decide, as plain integers, what is computed at
once; `block_forward` is one pass in blocks, its maps in one `map_memory` as `map_layout` lays them, its convolutions
`fused_layers`, told their `padding` at each call, of many channels by `winograd`. `inference` scores a whole plane
without a seam, `window_scores` a window at its image's pixel size;
`prediction_plan` has what is decided for a whole stack. `parity` says in which precision a model may predict, by what
was measured; `fast_precisions` knows which of them a machine is faster in, `rounding` stands in for one that it has
not. `model_files` keeps a model in a dataset, `start_model` lends one to a training; `torch_files` reads what torch
saved, `milesial` brings checkpoints in, `exports` and `bioimageio_package` (with `bioimageio_description`) take models
out.
"""
