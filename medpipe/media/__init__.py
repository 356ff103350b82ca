"""Decoding: frames and sound with exact presentation times; no other room opens media."""
