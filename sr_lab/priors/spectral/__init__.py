"""The blur from one LR image in a second: Whittle's likelihood of its periodogram, and a small network's guess.

`periodogram` measures, `aliases` and `spectrum` predict what a blurred natural image should have, `natural` says how
photographs vary, and `whittle` fits. What a blur may be is a `family`: `gaussian` (numbers in `shape`, which `guess`
has the network's answer to), `line` (straight motion) or `flow` (kernels of an FKP flow). `prior` puts them together.
"""
