"""Transcripts: what one line means, how lines form a tree, old versions, and what is wrong with a file (TRANS-*)."""
