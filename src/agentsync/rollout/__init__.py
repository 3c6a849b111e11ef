"""Rollout in stages, without a server: a repository declares how fast its commits spread, each machine decides."""
