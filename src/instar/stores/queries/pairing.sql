-- fragment: who
-- One person or group on one account of a channel.
channel = :channel AND account_id = :account_id AND chat_type = :chat_type AND peer_id = :peer_id

-- fragment: code_columns
-- The columns of a waiting code, in the order in which `pairing.read_code` takes them.
code, channel, account_id, chat_type, peer_id, name, session_key, target, created_at, told_at, expires_at

-- name: find_pairing
-- Whether somebody was approved.
SELECT 1 FROM pairings WHERE {who};

-- name: load_pairings
-- Everybody who was approved, in the order of approval.
SELECT channel, account_id, chat_type, peer_id, name, session_key, approved_at, approved_by FROM pairings
ORDER BY approved_at, channel, account_id, chat_type, peer_id;

-- name: save_pairing
-- An approval; the same again is only renewed.
INSERT INTO pairings (channel, account_id, chat_type, peer_id, name, session_key, approved_at, approved_by)
VALUES (:channel, :account_id, :chat_type, :peer_id, :name, :session_key, :approved_at, :approved_by)
ON CONFLICT (channel, account_id, chat_type, peer_id) DO UPDATE SET
    name = excluded.name, session_key = excluded.session_key, approved_at = excluded.approved_at,
    approved_by = excluded.approved_by;

-- name: remove_pairing
-- An approval that is taken back.
DELETE FROM pairings WHERE {who};

-- name: load_codes
-- Every code that is kept.
SELECT {code_columns} FROM pairing_codes ORDER BY created_at, code;

-- name: load_codes_of_channel
-- The codes that are kept for all accounts of a channel.
SELECT {code_columns} FROM pairing_codes WHERE channel = :channel ORDER BY created_at, code;

-- name: save_code
-- A code that was told; the same one again only says when it was told last.
INSERT INTO pairing_codes ({code_columns}) VALUES (
    :code, :channel, :account_id, :chat_type, :peer_id, :name, :session_key, :target, :created_at, :told_at, :expires_at
) ON CONFLICT (channel, account_id, chat_type, peer_id) DO UPDATE SET told_at = excluded.told_at;

-- name: remove_code
-- A code that the owner answered.
DELETE FROM pairing_codes WHERE code = :code;

-- name: remove_expired_codes
-- Codes whose hour is over, and those that were told before the clock was set back.
DELETE FROM pairing_codes WHERE expires_at <= :now OR created_at > :latest;
