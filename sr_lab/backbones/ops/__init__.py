"""Cheaper exact forms of what the backbones compute."""
