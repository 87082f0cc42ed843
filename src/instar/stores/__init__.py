"""The session store: one store over two engines, its mirror, imports and archives (STORE-*).

The transactions are written once, as plain functions over a `Transaction` (`accept`, `change`, `sessions`, …);
`store` gives each a name and `sqlite` runs them. What is stored how is told in `docs/formats/database.md`.
"""
