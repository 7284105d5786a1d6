"""Kinds of attack on geolive, one in each module; `benchmarks/attack.py` runs them and prints what they found."""
