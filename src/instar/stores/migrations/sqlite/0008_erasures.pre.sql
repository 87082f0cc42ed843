-- oldest build: 2
-- Who was erased (LEAK-11). A build that does not know these tables does not go on with an erasure that was cut, and
-- lets an import bring back what was erased; it loses nothing.

-- Each erasure: what is still to be done, and its receipt once it is through. `wanted` says whose traces are taken
-- out; it is masked with `pad`, so that a search through the file for what is left does not find the search itself,
-- and both are wiped with the receipt.
CREATE TABLE erasures (
    id TEXT PRIMARY KEY,
    began_at INTEGER NOT NULL,
    ended_at INTEGER,
    wanted BLOB,
    pad BLOB,
    receipt TEXT
) STRICT, WITHOUT ROWID;

-- What must not come back by an import or an old backup: salted hashes of ids, session keys and session ids.
CREATE TABLE erased (
    hash TEXT NOT NULL,
    salt TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (hash, salt)
) STRICT, WITHOUT ROWID;
