"""What a repository contains: which files are agents, whose, and what was found in them."""
