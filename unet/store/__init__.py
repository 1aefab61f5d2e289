"""How do arrays lie in zarr?

`shards`: shapes, shards, chunks and regions as plain integers. `arrays`: one array, written a whole shard at a time;
`shard_bytes`: what a shard is packed into; `shard_reader`: what is read of it; `shard_store`: where zarr finds bytes.
`pyramid`: its smaller levels. `read_ahead`: what is read while something else is in use; `kept`: what a pass has
left in memory. `plane_copy`: an array and its pyramid written from planes that are read once. `ome`: the OME-Zarr
metadata of a result. `tables`: those of segments.
`opened_dataset`: a whole dataset, for reading. `source_array`: an array that another program wrote, and `linked_array`
an image whose pixels stay there. `plate_views`: its plates, for viewers.
"""
