"""Mutation tests: break the code that decides about permissions, to see that the tests notice."""
