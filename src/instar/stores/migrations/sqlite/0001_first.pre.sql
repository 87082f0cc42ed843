-- oldest build: 1
-- Every table that one gateway needs. docs/formats/database.md explains each column.

-- What is known about the database itself: schema_version, oldest_build, starts.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    agent_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    owner TEXT,
    label TEXT,
    spawned_by TEXT,
    names TEXT NOT NULL,
    archived INTEGER NOT NULL,
    pinned INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    fields TEXT NOT NULL
) STRICT;

-- A page of a list is read in the order of these two, and stops where the page is full.
CREATE INDEX sessions_by_time ON sessions (archived, pinned, updated_at, id, kind);
CREATE INDEX sessions_of_agent ON sessions (agent_id, archived, pinned, updated_at, id, kind);
CREATE INDEX sessions_of_owner ON sessions (owner) WHERE owner IS NOT NULL;
CREATE INDEX sessions_of_parent ON sessions (spawned_by) WHERE spawned_by IS NOT NULL;
CREATE UNIQUE INDEX sessions_by_label ON sessions (label) WHERE label IS NOT NULL;
-- A search by a part of a name walks this narrow index instead of the rows.
CREATE INDEX sessions_by_names ON sessions (names);

-- How many sessions a list has without counting them; kept by the transactions that create, archive and delete.
CREATE TABLE session_counts (
    agent_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    archived INTEGER NOT NULL,
    sessions INTEGER NOT NULL,
    PRIMARY KEY (agent_id, kind, archived)
) STRICT, WITHOUT ROWID;

CREATE TABLE transcripts (
    id INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL,
    header TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    closed_at INTEGER,
    close_reason TEXT,
    is_linear INTEGER NOT NULL,
    context_seq INTEGER NOT NULL,
    leaf_seq INTEGER
) STRICT;

CREATE UNIQUE INDEX transcripts_current ON transcripts (key) WHERE closed_at IS NULL;
CREATE INDEX transcripts_of_key ON transcripts (key, began_at);

-- Each line carries the sums up to itself, so that appending writes one row and no other. Rows lie in the order in
-- which they were written, whatever their transcript: lines of many sessions in one commit then share pages.
CREATE TABLE entries (
    transcript INTEGER NOT NULL REFERENCES transcripts (id),
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    parent_seq INTEGER,
    type TEXT NOT NULL,
    at INTEGER,
    tokens INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (transcript, seq),
    UNIQUE (transcript, id)
) STRICT;

CREATE TABLE inbox (
    seq INTEGER PRIMARY KEY,
    inbound_id TEXT NOT NULL UNIQUE,
    channel TEXT NOT NULL,
    account_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    session_key TEXT NOT NULL,
    state TEXT NOT NULL,
    turn_id TEXT,
    reason TEXT,
    received_at INTEGER NOT NULL,
    ended_at INTEGER,
    acknowledgement TEXT NOT NULL,
    acceptance TEXT NOT NULL,
    submission TEXT NOT NULL,
    attachments TEXT,
    UNIQUE (channel, account_id, message_id)
) STRICT;

CREATE INDEX inbox_of_session ON inbox (session_key, seq);
CREATE INDEX inbox_of_turn ON inbox (turn_id, seq) WHERE turn_id IS NOT NULL;
CREATE INDEX inbox_open ON inbox (state, seq) WHERE ended_at IS NULL;

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,
    delivery_id TEXT NOT NULL UNIQUE,
    session_key TEXT NOT NULL,
    channel TEXT NOT NULL,
    target TEXT NOT NULL,
    text TEXT NOT NULL,
    turn_id TEXT,
    state TEXT NOT NULL,
    reason TEXT,
    hand_outs INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    next_at INTEGER,
    ended_at INTEGER,
    platform_id TEXT
) STRICT;

CREATE INDEX outbox_due ON outbox (channel, state, next_at, seq) WHERE ended_at IS NULL;
CREATE INDEX outbox_of_session ON outbox (session_key, seq);

-- Who runs a session's lane when several gateways share a database; on SQLite it stays empty.
CREATE TABLE lanes (
    session_key TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    fence INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE decisions (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    session_key TEXT,
    inbound_id TEXT,
    turn_id TEXT,
    kind TEXT NOT NULL,
    outcome TEXT NOT NULL,
    rule TEXT NOT NULL,
    inputs TEXT NOT NULL,
    who TEXT NOT NULL
) STRICT;

CREATE INDEX decisions_of_session ON decisions (session_key, id) WHERE session_key IS NOT NULL;
CREATE INDEX decisions_of_message ON decisions (inbound_id, id) WHERE inbound_id IS NOT NULL;
CREATE INDEX decisions_of_turn ON decisions (turn_id, id) WHERE turn_id IS NOT NULL;

CREATE TABLE usage (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    session_key TEXT NOT NULL,
    turn_id TEXT,
    agent_id TEXT NOT NULL,
    principal TEXT,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    purpose TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    cost_usd REAL
) STRICT;

CREATE INDEX usage_of_session ON usage (session_key, at);
CREATE INDEX usage_by_time ON usage (at);

-- What the mirror last left in each of its files, to tell a change by another hand (STORE-4).
CREATE TABLE mirror (
    owner TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    seq INTEGER NOT NULL,
    size INTEGER NOT NULL,
    changed_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
