"""Looks of cells from public repositories, for a detector of any cell to learn from."""
