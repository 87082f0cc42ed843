-- name: load_owner
-- Whose a session is.
SELECT owner FROM sessions WHERE key = :key;

-- name: add_member
-- Somebody has written in a group; whoever is known to be in it already stays as they are.
INSERT INTO members (person, session_key, source, since_at) VALUES (:person, :session_key, :source, :at)
ON CONFLICT (person, session_key) DO NOTHING;

-- name: drop_unlisted_members
-- Whoever is not on the list that a channel reports is in the group and its threads no more.
DELETE FROM members
WHERE person NOT IN (SELECT value FROM json_each(:persons)) AND (
    session_key = :session_key
    OR (session_key >= :session_key || ':thread:' AND session_key < :session_key || ':thread;')
    OR (session_key >= :session_key || ':topic:' AND session_key < :session_key || ':topic;')
);

-- name: list_members
-- Who is in a group.
SELECT person FROM members WHERE session_key = :session_key;

-- name: list_all_members
-- Who is in any group.
SELECT session_key, person FROM members ORDER BY session_key, person;

-- name: forget_member
-- Somebody is in a group no more.
DELETE FROM members WHERE session_key = :session_key AND person = :person;
