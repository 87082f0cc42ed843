-- fragment: row
-- The columns of a reply, in the order in which `rows.read_delivery` takes them.
delivery_id, session_key, target, text, turn_id, state, reason, hand_outs, created_at, next_at, ended_at, platform_id

-- name: insert_delivery
-- A reply that is owed, or kept back; nothing happens when it is owed already.
INSERT INTO outbox (
    delivery_id, session_key, channel, target, text, turn_id, state, reason, hand_outs, created_at, next_at, ended_at
) VALUES (
    :delivery_id, :session_key, :channel, :target, :text, :turn_id, :state, :reason, 0, :at, NULL, :ended_at
) ON CONFLICT (delivery_id) DO NOTHING;

-- name: find_due_deliveries
-- Replies of a channel in one state whose time has come, oldest first; none overtakes another one of its session.
SELECT seq, {row} FROM outbox
WHERE channel = :channel AND state = :state AND COALESCE(next_at, 0) <= :now AND ended_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM outbox AS ahead
    WHERE ahead.channel = :channel AND ahead.state = 'pending' AND ahead.next_at > :now AND ahead.ended_at IS NULL
    AND ahead.session_key = outbox.session_key AND ahead.seq < outbox.seq
)
ORDER BY seq LIMIT :limit;

-- name: hand_out_delivery
-- Note that a reply was handed to its channel once more.
UPDATE outbox SET state = 'sending', hand_outs = hand_outs + 1 WHERE seq = :seq;

-- name: find_delivery
-- The state of a reply that a channel owes.
SELECT state, session_key, turn_id, ended_at FROM outbox WHERE delivery_id = :delivery_id AND channel = :channel;

-- name: find_own_message
-- Whether a platform's message is one that was sent for us in this chat.
SELECT 1 FROM outbox
WHERE channel = :channel AND platform_id = :platform_id AND state = 'sent'
AND json_extract(target, '$.to') = :to AND json_extract(target, '$.account_id') = :account_id LIMIT 1;

-- name: settle_delivery
-- What became of a reply.
UPDATE outbox SET
    state = :state, platform_id = COALESCE(:platform_id, platform_id), reason = :reason,
    next_at = :next_at, ended_at = :ended_at
WHERE delivery_id = :delivery_id;

-- name: doubt_deliveries
-- Replies that were on their way when the process died: nobody knows what became of them.
UPDATE outbox SET state = 'unknown' WHERE state = 'sending' AND ended_at IS NULL;

-- name: hasten_deliveries
-- Replies that were put off until far in the future are due now: the clock was set back since.
UPDATE outbox SET next_at = NULL WHERE ended_at IS NULL AND next_at > :latest;

-- name: bring_deliveries_forward
-- Replies that were put off are due earlier: the clock was set back by so much since.
UPDATE outbox SET next_at = next_at - :by WHERE ended_at IS NULL AND next_at IS NOT NULL;

-- name: list_unknown_deliveries
-- Replies whose fate is unknown, oldest first.
SELECT delivery_id FROM outbox WHERE state = 'unknown' AND ended_at IS NULL ORDER BY seq;

-- name: list_deliveries
-- The newest replies of all sessions.
SELECT {row} FROM outbox WHERE :state IS NULL OR state = :state ORDER BY seq DESC LIMIT :limit;

-- name: list_deliveries_of_session
-- The newest replies of a session.
SELECT {row} FROM outbox
WHERE session_key = :session_key AND (:state IS NULL OR state = :state) ORDER BY seq DESC LIMIT :limit;

-- name: due_channels
-- Channels that owe replies, with the time of the first that waits for no other one of its session; 0 is at once.
SELECT channel, MIN(COALESCE(next_at, 0)) FROM outbox
WHERE state = 'pending' AND ended_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM outbox AS ahead
    WHERE ahead.channel = outbox.channel AND ahead.state = 'pending' AND ahead.next_at > COALESCE(outbox.next_at, 0)
    AND ahead.ended_at IS NULL AND ahead.session_key = outbox.session_key AND ahead.seq < outbox.seq
)
GROUP BY channel ORDER BY 1;

-- name: drop_deliveries
-- End what is owed to a session that goes away.
UPDATE outbox SET state = 'dropped', reason = :reason, ended_at = :at
WHERE session_key = :session_key AND ended_at IS NULL;

-- name: forget_replies
-- Keep of a session's replies where they went and when, and nothing that was written.
UPDATE outbox SET text = '' WHERE session_key = :session_key;

-- name: load_delivery
-- One reply.
SELECT {row} FROM outbox WHERE delivery_id = :delivery_id;

-- name: redo_delivery
-- What a person decided about a reply; its tries are counted anew.
UPDATE outbox SET
    state = :state, reason = :reason, hand_outs = :hand_outs, next_at = NULL, ended_at = :ended_at
WHERE delivery_id = :delivery_id;
