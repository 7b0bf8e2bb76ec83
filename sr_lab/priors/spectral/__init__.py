"""The blur from one LR image in a second: Whittle's likelihood of its periodogram, and a small network's guess.

`shape` parametrises Gaussian blurs, `periodogram` measures, `spectrum` predicts the aliased spectrum of a blurred
natural image, `whittle` fits it, `guess` is the network's answer, `prior` puts them together as a kernel prior.
"""
