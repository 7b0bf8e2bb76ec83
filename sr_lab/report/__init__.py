"""From a tree of records to one table that can be checked, and to one file that can be mailed.

`collection` reads, `aggregate` averages, `table` decides what a row, a column and a bold number is, `gallery`
cuts the pictures, `traces` draws the optimisation, `provenance` tells how to repeat it, `render` writes the
files. `figure` is the side-by-side picture of one image.
"""
