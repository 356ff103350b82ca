"""Judges models on test sets of twelve domains; no Ray, and no torch of its own.

Importing the package loads nothing else; its modules load scikit-learn and matplotlib.
"""
