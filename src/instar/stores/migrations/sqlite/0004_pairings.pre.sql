-- oldest build: 2
-- Who waits at the door and who was let in by the owner (LEAK-2). A build that does not know these tables lets in
-- nobody whom only an approval names.

-- People and groups that the owner approved, on one account of a channel.
CREATE TABLE pairings (
    channel TEXT NOT NULL,
    account_id TEXT NOT NULL,
    chat_type TEXT NOT NULL,
    peer_id TEXT NOT NULL,
    name TEXT NOT NULL,
    session_key TEXT NOT NULL,
    approved_at INTEGER NOT NULL,
    approved_by TEXT NOT NULL,
    PRIMARY KEY (channel, account_id, chat_type, peer_id)
) STRICT, WITHOUT ROWID;

-- Codes that were told and wait for the owner's word; one that has expired is removed when the next is given out.
CREATE TABLE pairing_codes (
    code TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    account_id TEXT NOT NULL,
    chat_type TEXT NOT NULL,
    peer_id TEXT NOT NULL,
    name TEXT NOT NULL,
    session_key TEXT NOT NULL,
    target TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    told_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    UNIQUE (channel, account_id, chat_type, peer_id)
) STRICT, WITHOUT ROWID;
