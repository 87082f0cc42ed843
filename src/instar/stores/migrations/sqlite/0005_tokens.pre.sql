-- oldest build: 2
-- Credentials beside the gateway's own secret, and who is in which group (LEAK-3, LEAK-4). A build that does not know
-- these tables lets in nobody by a token, and does not note who writes in a group.

-- The token itself is stored nowhere: only its SHA-256. A revoked token keeps its row, so that its holder is told.
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    label TEXT,
    role TEXT NOT NULL,
    scopes TEXT NOT NULL,
    principal TEXT,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX tokens_of_principal ON tokens (principal) WHERE principal IS NOT NULL;

-- Who has written in a group, or is on the list of members that its channel reports: `<channel>:<peer>`. The rows are
-- of the place, so a reset or a deletion of the session leaves them.
CREATE TABLE members (
    person TEXT NOT NULL,
    session_key TEXT NOT NULL,
    source TEXT NOT NULL,
    since_at INTEGER NOT NULL,
    PRIMARY KEY (person, session_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX members_of_session ON members (session_key);
