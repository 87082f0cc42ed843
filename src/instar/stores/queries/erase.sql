-- fragment: theirs
-- Rows of sessions that go as a whole.
session_key IN (SELECT value FROM json_each(:keys))

-- name: walk_inbox
-- The next messages in the order of arrival, with what tells whose they are.
SELECT seq, inbound_id, session_key, turn_id, received_at, message_id, submission, acceptance FROM inbox
WHERE seq > :after ORDER BY seq LIMIT :limit;

-- name: walk_sessions
-- The next session rows, with what tells whose they are.
SELECT id, key, owner, spawned_by, updated_at FROM sessions WHERE id > :after ORDER BY id LIMIT :limit;

-- name: list_place_keys
-- Every key under which something was decided or is owed, with a session or without one, as a stranger's place is.
SELECT DISTINCT session_key FROM decisions WHERE session_key IS NOT NULL UNION SELECT session_key FROM outbox;

-- name: walk_transcripts
-- The next transcripts, with the session that each is of, and the one it was forked from.
SELECT id, session_id, key, json_extract(header, '$.parentSession') FROM transcripts WHERE id > :after ORDER BY id LIMIT :limit;

-- name: walk_lines
-- The next lines of all transcripts, in the order of transcript and line.
SELECT transcript, seq, type, line FROM entries
WHERE (transcript, seq) > (:transcript, :seq)
ORDER BY transcript, seq LIMIT :limit;

-- name: list_usage_of_person
-- What the ledger holds for a person, oldest first.
SELECT at, session_key, session_id, turn_id, agent_id, principal, channel, provider, model, purpose, input_tokens,
    output_tokens, cache_read_tokens, cache_write_tokens, cost_usd FROM usage
WHERE {theirs} OR lower(principal) IN (SELECT value FROM json_each(:names))
    OR turn_id IN (SELECT value FROM json_each(:turns))
ORDER BY id;

-- name: list_decisions_of_person
-- What was decided about a person's messages and sessions, oldest first.
SELECT at, session_key, inbound_id, turn_id, kind, outcome, rule, inputs, who FROM decisions
WHERE {theirs} OR inbound_id IN (SELECT value FROM json_each(:inbounds))
    OR turn_id IN (SELECT value FROM json_each(:turns)) OR lower(who) IN (SELECT value FROM json_each(:names))
ORDER BY id;

-- name: list_outbox_of_person
-- The replies that a person is or was owed, oldest first.
SELECT delivery_id, session_key, channel, target, text, turn_id, state, reason, hand_outs, created_at, next_at,
    ended_at, platform_id FROM outbox
WHERE {theirs} OR turn_id IN (SELECT value FROM json_each(:turns))
    OR lower(json_extract(target, '$.channel') || ':' || json_extract(target, '$.to'))
        IN (SELECT value FROM json_each(:names))
ORDER BY seq;

-- name: list_inbox_of_person
-- Everything a person wrote, and what came to their sessions, in the order of arrival.
SELECT inbound_id, channel, account_id, message_id, session_key, state, turn_id, reason, received_at, ended_at,
    acknowledgement, acceptance, submission, attachments FROM inbox
WHERE {theirs} OR inbound_id IN (SELECT value FROM json_each(:inbounds)) ORDER BY seq;

-- name: list_pairings_of_person
-- Approvals of a person at the door.
SELECT channel, account_id, chat_type, peer_id, name, session_key, approved_at, approved_by FROM pairings
WHERE {theirs} OR (chat_type = 'direct'
    AND lower(channel || ':' || peer_id) IN (SELECT value FROM json_each(:names)));

-- name: list_members_of_person
-- The groups that a person is known to be in.
SELECT person, session_key, source, since_at FROM members WHERE lower(person) IN (SELECT value FROM json_each(:names));

-- name: list_tokens_of_person
-- The credentials that belong to a person, without what proves them.
SELECT id, label, role, scopes, principal, created_by, created_at, expires_at, last_used_at, revoked_at FROM tokens
WHERE lower(principal) IN (SELECT value FROM json_each(:names));

-- name: list_pairing_codes_of_person
-- The codes that a person was told.
SELECT code, channel, account_id, chat_type, peer_id, name, session_key, created_at, told_at, expires_at
FROM pairing_codes WHERE {theirs}
    OR (chat_type = 'direct' AND lower(channel || ':' || peer_id) IN (SELECT value FROM json_each(:names)));

-- name: list_devices_of_person
-- The devices that come in by a person's credentials, without what proves them.
SELECT device_id, name, platform, client, scopes, approved_at, approved_by FROM devices
WHERE token_id IN (SELECT id FROM tokens WHERE lower(principal) IN (SELECT value FROM json_each(:names)));

-- name: list_state_log_of_person
-- What happened in a person's sessions, oldest first.
SELECT session_key, sequence, kind, actor_type, actor, summary, at FROM state_log WHERE {theirs} ORDER BY id;

-- name: list_notices_of_person
-- What waits to be told to a person's sessions.
SELECT session_key, about, since, version, text, created_at FROM notices WHERE {theirs} ORDER BY id;

-- name: list_run_lines_of_person
-- Lines of runs in a person's sessions that are no part of a transcript yet.
SELECT turn_id, place, session_key, line FROM run_lines
WHERE {theirs} OR turn_id IN (SELECT value FROM json_each(:turns)) ORDER BY turn_id, place;

-- name: erase_outbox
-- Take out the replies that a person is or was owed.
DELETE FROM outbox WHERE {theirs} OR turn_id IN (SELECT value FROM json_each(:turns))
    OR lower(json_extract(target, '$.channel') || ':' || json_extract(target, '$.to'))
        IN (SELECT value FROM json_each(:names));

-- name: erase_inbox
-- Take out everything a person wrote, and what came to their sessions.
DELETE FROM inbox WHERE {theirs} OR inbound_id IN (SELECT value FROM json_each(:inbounds));

-- name: erase_decisions
-- Take out what was decided about a person's messages and sessions.
DELETE FROM decisions WHERE {theirs} OR inbound_id IN (SELECT value FROM json_each(:inbounds))
    OR turn_id IN (SELECT value FROM json_each(:turns));

-- name: erase_actor
-- Keep what a person decided about others, without their name.
UPDATE decisions SET who = 'erased' WHERE lower(who) IN (SELECT value FROM json_each(:names));

-- name: erase_usage_session
-- Keep what a person's sessions cost, without saying whose they were (LOSS-11).
UPDATE usage SET session_key = 'erased', session_id = NULL, turn_id = NULL, principal = NULL WHERE {theirs};

-- name: erase_usage_principal
-- Keep what a person cost in shared sessions, without saying who they were (LOSS-11).
UPDATE usage SET turn_id = NULL, principal = NULL
WHERE lower(principal) IN (SELECT value FROM json_each(:names)) OR turn_id IN (SELECT value FROM json_each(:turns));

-- name: erase_run_lines
-- Lines of runs that have not ended; an erasure stops the runs of a session first.
DELETE FROM run_lines WHERE {theirs} OR turn_id IN (SELECT value FROM json_each(:turns));

-- name: erase_lanes
-- Take out who runs a person's sessions.
DELETE FROM lanes WHERE {theirs};

-- name: erase_mirror
-- Forget how the mirror left the files of a person's transcripts, and the folders of their sessions.
DELETE FROM mirror WHERE owner IN (SELECT value FROM json_each(:session_ids))
    OR owner IN (SELECT 'folder left ' || value FROM json_each(:keys))
    OR owner IN (SELECT 'folder meant ' || value FROM json_each(:keys));

-- name: erase_pairings
-- Take out approvals of a person.
DELETE FROM pairings WHERE {theirs} OR (chat_type = 'direct'
    AND lower(channel || ':' || peer_id) IN (SELECT value FROM json_each(:names)));

-- name: erase_approver
-- Keep whom a person approved, without their name.
UPDATE pairings SET approved_by = 'erased' WHERE lower(approved_by) IN (SELECT value FROM json_each(:names));

-- name: erase_pairing_codes
-- Take out the codes that a person was told.
DELETE FROM pairing_codes WHERE {theirs}
    OR (chat_type = 'direct' AND lower(channel || ':' || peer_id) IN (SELECT value FROM json_each(:names)))
    OR lower(json_extract(target, '$.channel') || ':' || json_extract(target, '$.to'))
        IN (SELECT value FROM json_each(:names));

-- name: erase_devices
-- Take out the devices that come in by a person's credentials.
DELETE FROM devices WHERE token_id IN (
    SELECT id FROM tokens WHERE lower(principal) IN (SELECT value FROM json_each(:names))
);

-- name: erase_device_approver
-- Keep the devices that a person approved, without their name.
UPDATE devices SET approved_by = 'erased' WHERE lower(approved_by) IN (SELECT value FROM json_each(:names));

-- name: list_device_names
-- What devices are called.
SELECT device_id, name FROM devices ORDER BY device_id;

-- name: rewrite_device_name
-- A device, without a person's name in its own.
UPDATE devices SET name = :text WHERE device_id = :id;

-- name: list_request_names
-- What devices are called that wait.
SELECT request_id, name FROM device_requests ORDER BY request_id;

-- name: rewrite_request_name
-- A device that waits, without a person's name in its own.
UPDATE device_requests SET name = :text WHERE request_id = :id;

-- name: list_pairing_names
-- What people and groups are called that were approved.
SELECT json_array(channel, account_id, chat_type, peer_id), name FROM pairings
ORDER BY channel, account_id, chat_type, peer_id;

-- name: rewrite_pairing_name
-- Somebody who was approved, without another person's name in theirs.
UPDATE pairings SET name = :text WHERE json_array(channel, account_id, chat_type, peer_id) = :id;

-- name: list_token_labels
-- What credentials are called.
SELECT id, label FROM tokens WHERE label IS NOT NULL ORDER BY id;

-- name: rewrite_token_label
-- Credentials, without a person's name in their label.
UPDATE tokens SET label = :text WHERE id = :id;

-- name: erase_tokens
-- Take out a person's credentials: none of them is valid any more.
DELETE FROM tokens WHERE lower(principal) IN (SELECT value FROM json_each(:names));

-- name: erase_token_maker
-- Keep the credentials that a person made for others, without their name.
UPDATE tokens SET created_by = 'erased' WHERE lower(created_by) IN (SELECT value FROM json_each(:names));

-- name: erase_members
-- Take a person out of every group, and everybody out of the person's sessions.
DELETE FROM members WHERE {theirs} OR lower(person) IN (SELECT value FROM json_each(:names));

-- name: erase_state_versions
-- Forget the number of the last change in each of a person's sessions.
DELETE FROM state_versions WHERE {theirs};

-- name: erase_state_log
-- Forget what happened in a person's sessions.
DELETE FROM state_log WHERE {theirs};

-- name: erase_state_actor
-- Keep what a person's sessions did to others, without naming them.
UPDATE state_log SET actor = NULL
WHERE actor IN (SELECT value FROM json_each(:keys)) OR lower(actor) IN (SELECT value FROM json_each(:names));

-- name: erase_state_watches
-- Let nobody watch a person's sessions, and these nobody.
DELETE FROM state_watches WHERE watcher IN (SELECT value FROM json_each(:keys))
    OR target IN (SELECT value FROM json_each(:keys));

-- name: erase_notices
-- Take out what waits to be told to a person's sessions or about them.
DELETE FROM notices WHERE {theirs} OR about IN (SELECT value FROM json_each(:keys));

-- name: list_session_transcripts
-- The transcripts of some sessions, with the session of each.
SELECT session_id, key FROM transcripts WHERE key IN (SELECT value FROM json_each(:keys)) ORDER BY id;

-- name: rewrite_entry
-- A line as it is without a person.
UPDATE entries SET line = :line, tokens = :tokens, bytes = :bytes WHERE transcript = :transcript AND seq = :seq;

-- name: load_line_sums
-- The lines of a transcript in order, with the size of the file up to the end of each.
SELECT seq, line, tokens, bytes FROM entries WHERE transcript = :transcript ORDER BY seq;

-- name: find_search_row
-- Under which number a line is in the index.
SELECT id FROM search_rows WHERE transcript = :transcript AND seq = :seq;

-- name: list_shared_inbox
-- The messages of others in sessions that a person shared.
SELECT inbound_id, submission FROM inbox WHERE session_key IN (SELECT value FROM json_each(:shared)) ORDER BY seq;

-- name: rewrite_inbound
-- A message of others, without a person's name in it.
UPDATE inbox SET submission = :submission WHERE inbound_id = :inbound_id;

-- name: list_shared_outbox
-- The replies of sessions that a person shared.
SELECT delivery_id, text FROM outbox WHERE session_key IN (SELECT value FROM json_each(:shared)) ORDER BY seq;

-- name: rewrite_delivery
-- A reply to others, without a person's name in it.
UPDATE outbox SET text = :text WHERE delivery_id = :delivery_id;

-- name: list_shared_decisions
-- What was decided in sessions that a person shared.
SELECT id, outcome, inputs, who FROM decisions WHERE session_key IN (SELECT value FROM json_each(:shared)) ORDER BY id;

-- name: rewrite_decision
-- What was decided, without a person's name in it.
UPDATE decisions SET outcome = :outcome, inputs = :inputs, who = :who WHERE id = :id;

-- name: list_state_texts
-- What the logs of all sessions say of changes.
SELECT id, summary FROM state_log ORDER BY id;

-- name: rewrite_state_text
-- A change, without a person's name in it.
UPDATE state_log SET summary = :text WHERE id = :id;

-- name: list_notice_texts
-- What waits to be told to sessions.
SELECT id, text FROM notices ORDER BY id;

-- name: rewrite_notice
-- What waits to be told, without a person's name in it.
UPDATE notices SET text = :text WHERE id = :id;

-- name: begin_erasure
-- An erasure that is under way until it has a receipt.
INSERT INTO erasures (id, began_at, ended_at, wanted, pad, receipt)
VALUES (:id, :at, NULL, :wanted, :pad, NULL);

-- name: save_erasure
-- What is known by now of whom an erasure is about.
UPDATE erasures SET wanted = :wanted, pad = :pad WHERE id = :id;

-- name: end_erasure
-- An erasure that is through: its receipt, and nothing of the person.
UPDATE erasures SET ended_at = :at, wanted = NULL, pad = NULL, receipt = :receipt WHERE id = :id;

-- name: list_receipts
-- The receipts of erasures that are through.
SELECT id, receipt FROM erasures WHERE receipt IS NOT NULL ORDER BY id;

-- name: rewrite_receipt
-- A receipt, without the name of another person in it.
UPDATE erasures SET receipt = :receipt WHERE id = :id;

-- name: drop_erasure
-- An erasure that was cut, and that a later one of the same person goes on with.
DELETE FROM erasures WHERE id = :id AND ended_at IS NULL;

-- name: list_open_erasures
-- Erasures that were cut.
SELECT id, began_at, wanted, pad FROM erasures WHERE ended_at IS NULL ORDER BY began_at;

-- name: keep_away
-- Something that must not come back.
INSERT INTO erased (hash, salt, at) VALUES (:hash, :salt, :at)
ON CONFLICT (hash, salt) DO UPDATE SET at = MAX(erased.at, excluded.at);

-- name: list_salts
-- The salts under which something must not come back.
SELECT DISTINCT salt FROM erased;

-- name: find_erased
-- Until when something was erased that has one of these hashes.
SELECT MAX(at) FROM erased WHERE hash IN (SELECT value FROM json_each(:hashes));

-- name: list_erased
-- Everything that must not come back.
SELECT hash, salt, at FROM erased ORDER BY hash, salt;

-- name: list_member_names
-- Everybody who is known to be in a group.
SELECT DISTINCT person FROM members ORDER BY person;

-- name: list_token_names
-- Everybody who has credentials.
SELECT DISTINCT principal FROM tokens WHERE principal IS NOT NULL ORDER BY principal;
