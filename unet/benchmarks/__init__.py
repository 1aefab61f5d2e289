"""How does a published figure come about again?

`published` says what was published of each benchmark, and where its data are to be had; `layouts` finds the files of a
challenge's own folder by their names, `folds` says what trains and what is tested, and `pixels` reads them.
`training_files` writes what a fold's dataset is made of, of truth that is partial as `partial_truth` has it;
`result_folder` writes segments for the challenge's own tools. `order` is what was asked, and where it lies. `scoring`
counts what a fold got right, by the challenge's measure, and sums up the folds; `table` shows that beside what was
published.
"""
