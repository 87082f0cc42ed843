"""What a model gets to see: the view of a branch, its size, and how it is kept in limits (TRANS, PRUNE, COMPACT)."""
