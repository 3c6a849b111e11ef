"""Repository content: which files are agents, in which dialect, and the checks on them."""
