-- name: load_meta
-- The value that is kept under a name.
SELECT value FROM meta WHERE name = :name;

-- name: save_meta
-- Keep a value under a name.
INSERT INTO meta (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: delete_meta
-- Keep nothing under a name any more.
DELETE FROM meta WHERE name = :name;
