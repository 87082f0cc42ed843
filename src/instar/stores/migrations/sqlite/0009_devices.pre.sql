-- oldest build: 2
-- Programs on other machines that prove who they are by a key of their own (LEAK-3). A build that does not know these
-- tables lets them in by nothing but the gateway's own secret, as before.

-- Devices that the owner approved. `token_id` is the token that was handed out to the device, NULL until it comes.
CREATE TABLE devices (
    device_id TEXT PRIMARY KEY,
    public_key TEXT NOT NULL,
    name TEXT NOT NULL,
    platform TEXT NOT NULL,
    client TEXT NOT NULL,
    scopes TEXT NOT NULL,
    token_id TEXT,
    approved_at INTEGER NOT NULL,
    approved_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX devices_by_token ON devices (token_id) WHERE token_id IS NOT NULL;

-- Devices that wait for the owner's word.
CREATE TABLE device_requests (
    request_id TEXT PRIMARY KEY,
    device_id TEXT NOT NULL UNIQUE,
    public_key TEXT NOT NULL,
    name TEXT NOT NULL,
    platform TEXT NOT NULL,
    client TEXT NOT NULL,
    mode TEXT NOT NULL,
    scopes TEXT NOT NULL,
    reason TEXT NOT NULL,
    address TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
