-- fragment: token_columns
-- Every column of a token but its hash, in the order of `instar.stores.tokens`.
id, label, role, scopes, principal, created_by, created_at, expires_at, last_used_at, revoked_at

-- name: insert_token
-- A new token.
INSERT INTO tokens (id, hash, label, role, scopes, principal, created_by, created_at, expires_at)
VALUES (:id, :hash, :label, :role, :scopes, :principal, :created_by, :created_at, :expires_at);

-- name: find_token
-- The token whose text has this hash.
SELECT {token_columns} FROM tokens WHERE hash = :hash;

-- name: load_token
-- The token of an id.
SELECT {token_columns} FROM tokens WHERE id = :id;

-- name: list_tokens
-- Every token, the newest first.
SELECT {token_columns} FROM tokens ORDER BY created_at DESC, id LIMIT :limit;

-- name: note_token_use
-- A token was used.
UPDATE tokens SET last_used_at = :at WHERE id = :id;

-- name: revoke_token
-- A token opens nothing any more; one that was revoked stays as it is.
UPDATE tokens SET revoked_at = :at WHERE id = :id AND revoked_at IS NULL;
