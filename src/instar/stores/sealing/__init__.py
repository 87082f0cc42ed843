"""Words at rest: sealed row by row under a key of the person, and opened again for whoever has the keys."""
