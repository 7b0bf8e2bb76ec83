"""From a tree of records to one table that can be checked, and to one file that can be mailed.

`collection` reads, `failures` finds what left no record, `aggregate` averages; `interval` and `paired` hold the
statistics, `verdicts` and `effects` put them into words; `table` decides what a row, a column and a bold number is;
`gallery` cuts the pictures, `charts` draws for `traces`, `training`, `plots` and `effects`; `provenance` tells how to
repeat it, `render` writes the files. `figure` is the side-by-side picture of one image.
"""
