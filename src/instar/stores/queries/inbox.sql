-- fragment: item
-- The columns of a message, in the order in which `rows.read_inbox_item` takes them.
inbound_id, seq, submission, acceptance, received_at, state, turn_id, reason, ended_at, attachments

-- name: find_acknowledgement
-- What the sender of a message was told when it came for the first time.
SELECT acknowledgement FROM inbox
WHERE channel = :channel AND account_id = :account_id AND message_id = :message_id;

-- name: insert_inbound
-- A message at the door, with its acknowledgement.
INSERT INTO inbox (
    inbound_id, channel, account_id, message_id, session_key, state, turn_id, reason, received_at, ended_at,
    acknowledgement, acceptance, submission, attachments
) VALUES (
    :inbound_id, :channel, :account_id, :message_id, :session_key, :state, :turn_id, :reason, :received_at, :ended_at,
    :acknowledgement, :acceptance, :submission, :attachments
) RETURNING seq;

-- name: move_inbound
-- The next state of a message that has not ended; what its transcript holds by then is not kept twice.
UPDATE inbox SET
    state = :state, turn_id = COALESCE(:turn_id, turn_id), reason = :reason, ended_at = :ended_at,
    attachments = CASE WHEN :state IN ('answered', 'merged') THEN NULL ELSE attachments END
WHERE inbound_id = :inbound_id AND session_key = :session_key AND ended_at IS NULL;

-- name: leave_out
-- The agent is to be told of a message, unless the turn that tells it was written before.
UPDATE inbox SET left_out = COALESCE(left_out, 1) WHERE inbound_id = :inbound_id;

-- name: show_left_out
-- Of this message nobody is to be told any more, also if its end is written later.
UPDATE inbox SET left_out = 0 WHERE inbound_id = :inbound_id AND session_key = :session_key;

-- name: forget_left_out
-- Nobody can be told of messages where none waits any more.
UPDATE inbox SET left_out = 0 WHERE left_out = 1 AND session_key NOT IN (
    SELECT session_key FROM inbox WHERE state = 'waiting' AND ended_at IS NULL
);

-- name: load_left_out
-- Messages of which the agent is still to be told, in arrival order.
SELECT {item} FROM inbox WHERE left_out = 1 ORDER BY seq;

-- name: find_inbound_state
-- Where a message is, and whose it is.
SELECT state, session_key FROM inbox WHERE inbound_id = :inbound_id;

-- name: load_inbound
-- One message.
SELECT {item} FROM inbox WHERE inbound_id = :inbound_id;

-- name: load_inbox_of_turn
-- The newest messages that a turn took, newest first.
SELECT {item} FROM inbox WHERE turn_id = :turn_id ORDER BY seq DESC LIMIT :limit;

-- name: load_inbox_of_session
-- The newest messages of a session, newest first.
SELECT {item} FROM inbox WHERE session_key = :session_key ORDER BY seq DESC LIMIT :limit;

-- name: load_arrivals
-- Messages before a place in the order of arrival, newest first.
SELECT {item} FROM inbox WHERE seq < :before ORDER BY seq DESC LIMIT :limit;

-- name: load_observed
-- The newest messages kept as context of a group that no turn has been shown yet, newest first.
SELECT {item} FROM inbox
WHERE session_key = :session_key AND state = 'observed' AND seq > :after_seq AND seq < :before_seq AND seq > COALESCE((
    SELECT MAX(shown.seq) FROM inbox AS shown
    WHERE shown.session_key = :session_key AND shown.seq < :before_seq
    AND shown.state IN ('running', 'answered', 'merged')
), 0)
ORDER BY seq DESC LIMIT :limit;

-- name: find_message
-- One message by the name its source gave it.
SELECT {item} FROM inbox
WHERE channel = :channel AND account_id = :account_id AND message_id = :message_id;

-- name: find_messages
-- The newest messages that any of their sources calls so, newest first. The names of channels and logins are walked,
-- one step each, so that the index finds the message in each place and no other message is read.
WITH RECURSIVE
channels (channel) AS (
    SELECT MIN(channel) FROM inbox
    UNION ALL
    SELECT (SELECT MIN(later.channel) FROM inbox AS later WHERE later.channel > channels.channel)
    FROM channels WHERE channels.channel IS NOT NULL
),
places (channel, account_id) AS (
    SELECT channels.channel, (SELECT MIN(first.account_id) FROM inbox AS first WHERE first.channel = channels.channel)
    FROM channels WHERE channels.channel IS NOT NULL
    UNION ALL
    SELECT places.channel, (
        SELECT MIN(later.account_id) FROM inbox AS later
        WHERE later.channel = places.channel AND later.account_id > places.account_id
    )
    FROM places WHERE places.account_id IS NOT NULL
)
SELECT {item} FROM inbox
WHERE message_id = :message_id AND (channel, account_id) IN (SELECT channel, account_id FROM places)
ORDER BY seq DESC LIMIT :limit;

-- name: load_open_inbox
-- Messages in one state that have not ended, in arrival order.
SELECT {item} FROM inbox WHERE state = :state AND ended_at IS NULL ORDER BY seq;

-- name: load_open_keys
-- The sessions with messages that have not ended.
SELECT DISTINCT session_key FROM inbox WHERE ended_at IS NULL;

-- name: expire_inbox
-- End what still waits for a session that goes away.
UPDATE inbox SET state = 'expired', reason = :reason, ended_at = :at
WHERE session_key = :session_key AND ended_at IS NULL;

-- name: load_words
-- The messages of a session with the words in them.
SELECT inbound_id, submission FROM inbox WHERE session_key = :session_key;

-- name: forget_words
-- Keep of a message who, where and when, and nothing that was written.
UPDATE inbox SET submission = :submission, attachments = NULL WHERE inbound_id = :inbound_id;
