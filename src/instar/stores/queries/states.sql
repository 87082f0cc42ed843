-- name: load_state_version
-- The highest sequence of a session's log.
SELECT version FROM state_versions WHERE session_key = :session_key;

-- name: load_state_versions
-- The same of several sessions.
SELECT session_key, version FROM state_versions WHERE session_key IN (SELECT value FROM json_each(:keys));

-- name: save_state_version
-- The sequence of the newest event; it never falls.
INSERT INTO state_versions (session_key, version) VALUES (:session_key, :version)
ON CONFLICT (session_key) DO UPDATE SET version = MAX(state_versions.version, excluded.version);

-- name: insert_state
-- One event of a session's log.
INSERT INTO state_log (session_key, sequence, kind, actor_type, actor, summary, at)
VALUES (:session_key, :sequence, :kind, :actor_type, :actor, :summary, :at);

-- name: load_states
-- The events of a session after a version, oldest first.
SELECT sequence, kind, actor_type, actor, summary, at FROM state_log
WHERE session_key = :session_key AND sequence > :since ORDER BY sequence LIMIT :limit;

-- name: load_newest_news
-- The newest event after a version that is news to a watcher.
SELECT sequence, kind, actor_type, actor, summary, at FROM state_log
WHERE session_key = :session_key AND sequence > :since AND kind IN (SELECT value FROM json_each(:kinds))
    AND (actor IS NULL OR actor <> :watcher)
ORDER BY sequence DESC LIMIT 1;

-- name: count_states
-- How many events all logs hold together.
SELECT COUNT(*) FROM state_log;

-- name: prune_states
-- Forget some of the oldest events: those before a moment, and those that are too many.
DELETE FROM state_log WHERE id IN (
    SELECT id FROM (SELECT id, at FROM state_log ORDER BY id LIMIT :surplus)
    UNION SELECT id FROM (SELECT id FROM state_log WHERE at < :before_at LIMIT :limit)
);

-- name: delete_states
-- Forget what happened in a session; its version stays.
DELETE FROM state_log WHERE session_key = :session_key;

-- name: load_watches_of_target
-- Who watches a session, each with the notice about it that waits.
SELECT w.watcher, w.target, w.cursor, n.since, n.version FROM state_watches AS w
LEFT JOIN notices AS n ON n.session_key = w.watcher AND n.about = w.target
WHERE w.target = :target;

-- name: load_watch
-- One watch, with the notice that waits.
SELECT w.watcher, w.target, w.cursor, n.since, n.version FROM state_watches AS w
LEFT JOIN notices AS n ON n.session_key = w.watcher AND n.about = w.target
WHERE w.watcher = :watcher AND w.target = :target;

-- name: load_watches_of_either
-- Every watch in which a session takes part.
SELECT w.watcher, w.target, w.cursor, n.since, n.version FROM state_watches AS w
LEFT JOIN notices AS n ON n.session_key = w.watcher AND n.about = w.target
WHERE w.watcher = :session_key OR w.target = :session_key;

-- name: open_watch
-- A watch that begins; one that is there goes on as it is.
INSERT INTO state_watches (watcher, target, cursor) VALUES (:watcher, :target, :cursor)
ON CONFLICT (watcher, target) DO NOTHING;

-- name: move_watch
-- The version up to which a watcher has been told.
UPDATE state_watches SET cursor = :cursor WHERE watcher = :watcher AND target = :target;

-- name: delete_watch
-- The end of a watch.
DELETE FROM state_watches WHERE watcher = :watcher AND target = :target;

-- name: insert_notice
-- A notice that waits for the watcher's next turn; one that waits already stays as it is.
INSERT INTO notices (session_key, about, since, version, text, created_at)
VALUES (:session_key, :about, :since, :version, :text, :created_at)
ON CONFLICT (session_key, about) DO NOTHING;

-- name: load_notices
-- What a session is told at the begin of its next turn, oldest first.
SELECT about, text FROM notices WHERE session_key = :session_key ORDER BY id LIMIT :limit;

-- name: delete_notice
-- A notice that was told.
DELETE FROM notices WHERE session_key = :session_key AND about = :about;

-- name: list_children
-- The sessions that were spawned by another.
SELECT key FROM sessions WHERE spawned_by = :parent;
