"""Breaks the code that decides about permissions, to see that the tests notice."""
