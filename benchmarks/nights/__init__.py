"""Nights of a regression plan, drawn by a seed: accuracy item by item, speed trial by trial. It never measures a model."""
