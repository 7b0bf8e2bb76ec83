"""Residual-shifting diffusion: formulas only; networks are in `backbones`, restoration in `methods`."""
