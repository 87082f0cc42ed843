-- fragment: listed
-- What every list leaves out unless it is asked for, and the filters that are seldom given.
(:include_global OR kind <> 'global') AND (:include_unknown OR kind <> 'unknown')
AND (:agent_id IS NULL OR agent_id = :agent_id)
AND (:search IS NULL OR id IN (SELECT id FROM sessions WHERE instr(names, :search) > 0))

-- fragment: newest_first
-- Pinned sessions first, then the one that was used last.
ORDER BY pinned DESC, updated_at DESC, id DESC

-- fragment: seen
-- What a principal sees: what is theirs under any of their names, and the groups they are in (LEAK-4).
(owner IN (SELECT value FROM json_each(:owners)) OR key IN (
    SELECT session_key FROM members WHERE person IN (SELECT value FROM json_each(:owners))
))

-- fragment: narrow
-- Sessions by the filter that leaves the fewest: a label, else their parent, else their owners.
id IN (
    SELECT id FROM sessions WHERE label = :label
    UNION ALL SELECT id FROM sessions WHERE :label IS NULL AND spawned_by = :spawned_by
    UNION ALL SELECT id FROM sessions
    WHERE :label IS NULL AND :spawned_by IS NULL AND owner IN (SELECT value FROM json_each(:owners))
    UNION ALL SELECT s.id FROM members AS m JOIN sessions AS s ON s.key = m.session_key
    WHERE :label IS NULL AND :spawned_by IS NULL AND m.person IN (SELECT value FROM json_each(:owners))
)
AND (:spawned_by IS NULL OR spawned_by = :spawned_by)
AND (:owners IS NULL OR {seen})
AND (:archived IS NULL OR archived = :archived) AND updated_at >= :since

-- name: load_session
-- The session of a key.
SELECT fields FROM sessions WHERE key = :key;

-- name: load_facts
-- The session of a key with its current transcript: its row, its last line, its leaf (`rows.read_transcript`).
SELECT s.fields, t.id, t.session_id, t.key, t.header, t.began_at, t.closed_at, t.close_reason, t.is_linear,
    t.context_seq, last.seq, last.id, last.messages, last.bytes, leaf.seq, leaf.id
FROM sessions AS s
LEFT JOIN transcripts AS t ON t.key = s.key AND t.closed_at IS NULL
LEFT JOIN entries AS last
    ON last.transcript = t.id AND last.seq = (SELECT MAX(seq) FROM entries WHERE transcript = t.id)
LEFT JOIN entries AS leaf ON leaf.transcript = t.id AND leaf.seq = t.leaf_seq
WHERE s.key = :key;

-- name: insert_session
-- A new session.
INSERT INTO sessions (
    key, agent_id, session_id, kind, owner, label, spawned_by, names, archived, pinned, updated_at, fields
) VALUES (
    :key, :agent_id, :session_id, :kind, :owner, :label, :spawned_by, :names, :archived, :pinned, :updated_at, :fields
);

-- name: update_session
-- A session of which something changed that lists sort or search by.
UPDATE sessions SET
    agent_id = :agent_id, session_id = :session_id, kind = :kind, owner = :owner, label = :label,
    spawned_by = :spawned_by, names = :names, archived = :archived, pinned = :pinned, updated_at = :updated_at,
    fields = :fields
WHERE key = :key;

-- name: touch_session
-- A session that was used: the common case, which leaves most indices alone.
UPDATE sessions SET updated_at = :updated_at, fields = :fields WHERE key = :key;

-- name: delete_session
-- Remove the row of a session.
DELETE FROM sessions WHERE key = :key;

-- name: count_up
-- One session more, or with a negative step one less, in a list that is counted.
INSERT INTO session_counts (agent_id, kind, archived, sessions) VALUES (:agent_id, :kind, :archived, :step)
ON CONFLICT (agent_id, kind, archived) DO UPDATE SET sessions = session_counts.sessions + excluded.sessions;

-- name: sum_counts
-- How many sessions a list without further filters has.
SELECT COALESCE(SUM(sessions), 0) FROM session_counts
WHERE (:include_global OR kind <> 'global') AND (:include_unknown OR kind <> 'unknown')
    AND (:agent_id IS NULL OR agent_id = :agent_id) AND (:archived IS NULL OR archived = :archived);

-- name: list_sessions
-- One page of the sessions of all agents.
SELECT fields FROM sessions
WHERE archived = :archived AND pinned IN (0, 1) AND updated_at >= :since AND {listed}
{newest_first} LIMIT :limit OFFSET :offset;

-- name: list_sessions_of_agent
-- One page of the sessions of an agent.
SELECT fields FROM sessions
WHERE agent_id = :agent_id AND archived = :archived AND pinned IN (0, 1) AND updated_at >= :since AND {listed}
{newest_first} LIMIT :limit OFFSET :offset;

-- name: list_sessions_either
-- One page of archived and other sessions together: each half is read as far as the page could reach.
SELECT fields FROM (
    SELECT * FROM (
        SELECT fields, id, pinned, updated_at FROM sessions
        WHERE archived = 0 AND pinned IN (0, 1) AND updated_at >= :since AND {listed}
        {newest_first} LIMIT :limit + :offset
    )
    UNION ALL SELECT * FROM (
        SELECT fields, id, pinned, updated_at FROM sessions
        WHERE archived = 1 AND pinned IN (0, 1) AND updated_at >= :since AND {listed}
        {newest_first} LIMIT :limit + :offset
    )
) {newest_first} LIMIT :limit OFFSET :offset;

-- name: list_sessions_narrow
-- One page of the few sessions that a label, a parent or owners leave.
SELECT fields FROM sessions WHERE {narrow} AND {listed} {newest_first} LIMIT :limit OFFSET :offset;

-- name: count_sessions
-- How many sessions match a list with a time or a search.
SELECT COUNT(*) FROM sessions
WHERE archived IN (0, 1) AND (:archived IS NULL OR archived = :archived) AND pinned IN (0, 1)
    AND updated_at >= :since AND {listed};

-- name: count_sessions_narrow
-- How many sessions a label, a parent or owners leave.
SELECT COUNT(*) FROM sessions WHERE {narrow} AND {listed};

-- name: find_session_by_label
-- The session that carries a label.
SELECT fields FROM sessions WHERE label = :label AND (:owners IS NULL OR {seen});

-- name: find_sessions_by_id
-- Sessions one of whose transcripts has an id between two bounds, each session once.
SELECT fields FROM sessions
WHERE key IN (
    SELECT key FROM transcripts
    WHERE session_id >= :from_id AND session_id < :to_id AND close_reason IS DISTINCT FROM 'staged' LIMIT 200
)
{newest_first} LIMIT 20;

-- name: find_seen_sessions_by_id
-- The same, of the sessions that a principal sees.
SELECT fields FROM sessions
WHERE {seen} AND EXISTS (
    SELECT 1 FROM transcripts AS t WHERE t.key = sessions.key AND t.session_id >= :from_id AND t.session_id < :to_id
        AND t.close_reason IS DISTINCT FROM 'staged'
)
{newest_first} LIMIT 20;

-- name: dump_sessions
-- The next slice of an agent's sessions, read in the order of their keys, for the mirror; compared like this, the agent
-- does not tempt the planner to take all rows of the agent and sort them for each slice.
SELECT key, fields FROM sessions WHERE agent_id || '' = :agent_id AND key > :after ORDER BY key LIMIT :limit;

-- name: list_agents
-- Agents that have sessions.
SELECT DISTINCT agent_id FROM session_counts WHERE sessions > 0 ORDER BY agent_id;
