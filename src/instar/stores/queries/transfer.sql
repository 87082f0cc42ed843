-- fragment: message_columns
-- Every column of a message at the door.
inbound_id, channel, account_id, message_id, session_key, state, turn_id, reason, received_at, ended_at,
    acknowledgement, acceptance, submission, attachments, left_out

-- fragment: reply_columns
-- Every column of a reply.
delivery_id, session_key, channel, target, text, turn_id, state, reason, hand_outs, created_at, next_at, ended_at,
    platform_id

-- fragment: decision_columns
-- Every column of a decision.
at, session_key, inbound_id, turn_id, kind, outcome, rule, inputs, who

-- fragment: pairing_columns
-- Every column of an approval.
channel, account_id, chat_type, peer_id, name, session_key, approved_at, approved_by

-- fragment: usage_columns
-- Every column of the ledger.
at, session_key, turn_id, agent_id, principal, provider, model, purpose, input_tokens, output_tokens,
    cache_read_tokens, cache_write_tokens, cost_usd, channel, session_id

-- fragment: state_columns
-- Every column of an event of a state log.
session_key, sequence, kind, actor_type, actor, summary, at

-- fragment: notice_columns
-- Every column of a notice that waits.
session_key, about, since, version, text, created_at

-- name: list_keys
-- The next keys that have a session or a transcript.
SELECT key FROM sessions WHERE key > :after
UNION SELECT key FROM transcripts WHERE key > :after AND close_reason IS DISTINCT FROM 'staged'
ORDER BY key LIMIT :limit;

-- name: count_all
-- Whether there is anything at all.
SELECT (SELECT COUNT(*) FROM sessions) + (SELECT COUNT(*) FROM transcripts) + (SELECT COUNT(*) FROM inbox)
    + (SELECT COUNT(*) FROM pairings);

-- name: settle_transcript
-- When a transcript that came from elsewhere began and ended.
UPDATE transcripts SET began_at = :began_at, closed_at = :closed_at, close_reason = :close_reason
WHERE id = :transcript;

-- name: dump_inbox
-- The next messages in the order of their arrival.
SELECT seq, {message_columns} FROM inbox WHERE seq > :after ORDER BY seq LIMIT :limit;

-- name: dump_outbox
-- The next replies in the order in which they came to be owed.
SELECT seq, {reply_columns} FROM outbox WHERE seq > :after ORDER BY seq LIMIT :limit;

-- name: dump_decisions
-- The next decisions in order.
SELECT id, {decision_columns} FROM decisions WHERE id > :after ORDER BY id LIMIT :limit;

-- name: dump_usage
-- The next lines of the ledger in order.
SELECT id, {usage_columns} FROM usage WHERE id > :after ORDER BY id LIMIT :limit;

-- name: restore_inbox
-- A message as it was.
INSERT INTO inbox ({message_columns}) VALUES (
    :inbound_id, :channel, :account_id, :message_id, :session_key, :state, :turn_id, :reason, :received_at, :ended_at,
    :acknowledgement, :acceptance, :submission, :attachments, :left_out
) ON CONFLICT DO NOTHING;

-- name: restore_outbox
-- A reply as it was.
INSERT INTO outbox ({reply_columns}) VALUES (
    :delivery_id, :session_key, :channel, :target, :text, :turn_id, :state, :reason, :hand_outs, :created_at,
    :next_at, :ended_at, :platform_id
) ON CONFLICT DO NOTHING;

-- name: restore_decisions
-- A decision as it was.
INSERT INTO decisions ({decision_columns}) VALUES (
    :at, :session_key, :inbound_id, :turn_id, :kind, :outcome, :rule, :inputs, :who
);

-- name: dump_pairings
-- The next approvals, in the order of their names.
SELECT place, {pairing_columns} FROM (
    SELECT ROW_NUMBER() OVER (ORDER BY channel, account_id, chat_type, peer_id) AS place, {pairing_columns} FROM pairings
) WHERE place > :after ORDER BY place LIMIT :limit;

-- name: restore_pairings
-- An approval as it was.
INSERT INTO pairings ({pairing_columns}) VALUES (
    :channel, :account_id, :chat_type, :peer_id, :name, :session_key, :approved_at, :approved_by
) ON CONFLICT DO NOTHING;

-- name: restore_usage
-- A line of the ledger as it was.
INSERT INTO usage ({usage_columns}) VALUES (
    :at, :session_key, :turn_id, :agent_id, :principal, :provider, :model, :purpose, :input_tokens, :output_tokens,
    :cache_read_tokens, :cache_write_tokens, :cost_usd, :channel, :session_id
);

-- name: dump_members
-- The next members of groups, in no order that matters.
SELECT place, person, session_key, source, since_at FROM (
    SELECT ROW_NUMBER() OVER (ORDER BY person, session_key) AS place, person, session_key, source, since_at FROM members
) WHERE place > :after ORDER BY place LIMIT :limit;

-- name: restore_members
-- A member of a group as it was.
INSERT INTO members (person, session_key, source, since_at) VALUES (:person, :session_key, :source, :since_at)
ON CONFLICT DO NOTHING;

-- name: dump_state_versions
-- The next versions of sessions, in no order that matters.
SELECT place, session_key, version FROM (
    SELECT ROW_NUMBER() OVER (ORDER BY session_key) AS place, session_key, version FROM state_versions
) WHERE place > :after ORDER BY place LIMIT :limit;

-- name: dump_state_log
-- The next events of all state logs in order.
SELECT id, {state_columns} FROM state_log WHERE id > :after ORDER BY id LIMIT :limit;

-- name: dump_state_watches
-- The next watches, in no order that matters; a `target` is a JSON document in the files.
SELECT place, watcher, target AS watched, cursor FROM (
    SELECT ROW_NUMBER() OVER (ORDER BY watcher, target) AS place, watcher, target, cursor FROM state_watches
) WHERE place > :after ORDER BY place LIMIT :limit;

-- name: dump_notices
-- The next notices in the order in which they came.
SELECT id, {notice_columns} FROM notices WHERE id > :after ORDER BY id LIMIT :limit;

-- name: restore_state_versions
-- The version of a session as it was.
INSERT INTO state_versions (session_key, version) VALUES (:session_key, :version) ON CONFLICT DO NOTHING;

-- name: restore_state_log
-- An event as it was.
INSERT INTO state_log ({state_columns}) VALUES (:session_key, :sequence, :kind, :actor_type, :actor, :summary, :at)
ON CONFLICT DO NOTHING;

-- name: restore_state_watches
-- A watch as it was.
INSERT INTO state_watches (watcher, target, cursor) VALUES (:watcher, :watched, :cursor) ON CONFLICT DO NOTHING;

-- name: restore_notices
-- A notice as it was.
INSERT INTO notices ({notice_columns}) VALUES (:session_key, :about, :since, :version, :text, :created_at)
ON CONFLICT DO NOTHING;

-- name: dump_erased
-- The next of what must not come back, in no order that matters.
SELECT place, hash, salt, at FROM (
    SELECT ROW_NUMBER() OVER (ORDER BY hash, salt) AS place, hash, salt, at FROM erased
) WHERE place > :after ORDER BY place LIMIT :limit;

-- name: restore_erased
-- Something that must not come back, as it was.
INSERT INTO erased (hash, salt, at) VALUES (:hash, :salt, :at) ON CONFLICT DO NOTHING;

-- name: dump_run_lines
-- The next lines of runs that have not ended, each run's in order; `place` is the place in the run.
SELECT at, turn_id, place, session_key, line FROM (
    SELECT ROW_NUMBER() OVER (ORDER BY turn_id, place) AS at, turn_id, place, session_key, line FROM run_lines
) WHERE at > :after ORDER BY at LIMIT :limit;

-- name: restore_run_lines
-- A line of a run that has not ended, as it was.
INSERT INTO run_lines (turn_id, place, session_key, line) VALUES (:turn_id, :place, :session_key, :line)
ON CONFLICT DO NOTHING;
