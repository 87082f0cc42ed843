-- name: insert_usage
-- One line of the ledger.
INSERT INTO usage (
    at, session_key, turn_id, agent_id, principal, provider, model, purpose, input_tokens, output_tokens,
    cache_read_tokens, cache_write_tokens, cost_usd, channel, session_id
) VALUES (
    :at, :session_key, :turn_id, :agent_id, :principal, :provider, :model, :purpose, :input_tokens, :output_tokens,
    :cache_read_tokens, :cache_write_tokens, :cost_usd, :channel, :session_id
);

-- name: sum_usage
-- Sums over the whole ledger, or over what was booked since a moment.
SELECT agent_id, provider, model, COUNT(*), SUM(input_tokens), SUM(output_tokens), SUM(cache_read_tokens),
    SUM(cache_write_tokens), SUM(cost_usd)
FROM usage WHERE at >= :since GROUP BY agent_id, provider, model ORDER BY agent_id, provider, model;

-- name: sum_usage_seen
-- Sums over what was booked to the sessions that a principal sees: theirs under any of their names, and their groups.
SELECT agent_id, provider, model, COUNT(*), SUM(input_tokens), SUM(output_tokens), SUM(cache_read_tokens),
    SUM(cache_write_tokens), SUM(cost_usd)
FROM usage WHERE at >= :since AND session_key IN (
    SELECT key FROM sessions WHERE owner IN (SELECT value FROM json_each(:owners))
    UNION SELECT session_key FROM members WHERE person IN (SELECT value FROM json_each(:owners))
)
GROUP BY agent_id, provider, model ORDER BY agent_id, provider, model;

-- fragment: spent
-- Lines that a budget counts, at any time: each filter that is given restricts.
(:agent IS NULL OR agent_id = :agent) AND (:person IS NULL OR lower(principal) = :person)
    AND (:channel IS NULL OR channel = :channel) AND (:provider IS NULL OR lower(provider) = :provider)
    AND (:model IS NULL OR lower(model) = :model)
    AND (:key_from IS NULL OR (session_key >= :key_from AND session_key < :key_to))

-- fragment: summed
-- Their sum, and the newest line of all.
COALESCE(SUM(cost_usd), 0.0), (SELECT COALESCE(MAX(id), 0) FROM usage)

-- name: sum_spending
-- What was spent in all sessions.
SELECT {summed} FROM usage WHERE at >= :since AND at < :until AND {spent};

-- name: sum_spending_later
-- What was spent in all sessions after a line: few lines, found by their number and not by their time.
SELECT {summed} FROM usage WHERE id > :after_line AND +at >= :since AND +at < :until AND {spent};

-- name: sum_spending_of_session
-- What was spent in one session.
SELECT {summed} FROM usage
WHERE session_key = :session_key AND at >= :since AND at < :until AND +id > :after_line AND {spent};

-- name: sum_spending_of_life
-- What was spent in one life of a session; a line that names no life counts by its time.
SELECT {summed} FROM (
    SELECT * FROM usage WHERE session_key = :session_key AND session_id = :session_id
    UNION ALL
    SELECT * FROM usage WHERE session_key = :session_key AND session_id IS NULL AND at >= :since
) AS life WHERE id > :after_line AND {spent};

-- name: sum_spending_of_life_later
-- What was spent in one life of a session after a line: few lines, found by their number.
SELECT {summed} FROM usage
WHERE id > :after_line AND +session_key = :session_key
    AND (+session_id = :session_id OR session_id IS NULL AND +at >= :since) AND {spent};

-- name: sum_turn_outputs
-- What models wrote in each turn since a moment.
SELECT turn_id, SUM(output_tokens) FROM usage
WHERE at >= :since AND turn_id IS NOT NULL AND purpose = 'turn' GROUP BY turn_id;

-- name: sum_usage_of_session
-- Sums over what was booked to a session.
SELECT agent_id, provider, model, COUNT(*), SUM(input_tokens), SUM(output_tokens), SUM(cache_read_tokens),
    SUM(cache_write_tokens), SUM(cost_usd)
FROM usage WHERE session_key = :session_key AND at >= :since
GROUP BY agent_id, provider, model ORDER BY agent_id, provider, model;
