"""Radar images: kinds, calibrated decibels, sensor cards, files and pictures."""
