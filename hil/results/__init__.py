"""Figures, plots, screens and documents of a run."""
