"""What does the command line call outside of the pipeline?

`preview` looks at sources before `init`, `inspection` says what any file holds, `verify` reads every checksum again,
`export_labels` writes TIFF and CSV, `export_model` writes a model for others, `tune` finds the settings of segment
again, `compare` puts two models side by side.
"""
