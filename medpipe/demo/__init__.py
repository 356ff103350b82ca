"""Lectures with known truth, and the scores that hold results against it."""
