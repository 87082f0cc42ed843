-- name: insert_usage
-- One line of the ledger.
INSERT INTO usage (
    at, session_key, turn_id, agent_id, principal, provider, model, purpose, input_tokens, output_tokens,
    cache_read_tokens, cache_write_tokens, cost_usd
) VALUES (
    :at, :session_key, :turn_id, :agent_id, :principal, :provider, :model, :purpose, :input_tokens, :output_tokens,
    :cache_read_tokens, :cache_write_tokens, :cost_usd
);

-- name: sum_usage
-- Sums over the whole ledger, or over what was booked since a moment.
SELECT agent_id, provider, model, COUNT(*), SUM(input_tokens), SUM(output_tokens), SUM(cache_read_tokens),
    SUM(cache_write_tokens), SUM(cost_usd)
FROM usage WHERE at >= :since GROUP BY agent_id, provider, model ORDER BY agent_id, provider, model;

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
