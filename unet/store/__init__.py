"""How do arrays lie in zarr?

`shards`: shapes, shards, chunks and regions as plain integers. `arrays`: one array, written a whole shard at a time;
`shard_store`: where zarr finds its bytes. `pyramid`: its smaller levels. `read_ahead`: what is read while something
else is in use. `ome`: the OME-Zarr metadata of a result. `tables`: those of segments.
`plate_views`: its plates, for viewers.
`opened_dataset`: a whole dataset, for reading. `source_array`: an array that another program wrote.
"""
