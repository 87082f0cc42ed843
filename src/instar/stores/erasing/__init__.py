"""What is held about one person: found, exported, and taken out of every row and file (LEAK-11)."""
