"""A team's machines as one view, from what each of them publishes by itself: metrics or status documents."""
