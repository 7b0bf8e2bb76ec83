"""Scenes: what an imaging modality's files, values and pictures are."""
