-- fragment: head
-- The columns of a transcript's head, in the order in which `rows.read_transcript` takes them.
id, session_id, key, header, began_at, closed_at, close_reason, leaf_id, leaf_seq, next_seq, message_count, bytes,
is_linear, context_seq

-- fragment: branch
-- The active branch from the leaf to the root, newest first; parents stand before their children, so it ends.
WITH RECURSIVE branch (seq, parent_seq) AS (
    SELECT seq, parent_seq FROM entries WHERE transcript = :transcript AND seq = :leaf_seq
    UNION ALL
    SELECT e.seq, e.parent_seq FROM branch AS b
    JOIN entries AS e ON e.transcript = :transcript AND e.seq = b.parent_seq
)

-- name: load_transcript
-- The head of a transcript.
SELECT {head} FROM transcripts WHERE session_id = :session_id;

-- name: load_current_transcript
-- The head of the transcript that a key has now.
SELECT {head} FROM transcripts WHERE key = :key AND closed_at IS NULL;

-- name: load_transcripts
-- Every transcript of a key, the newest first.
SELECT {head} FROM transcripts WHERE key = :key ORDER BY closed_at IS NULL DESC, began_at DESC, id DESC;

-- name: insert_transcript
-- A new transcript without entries.
INSERT INTO transcripts (
    session_id, key, header, began_at, closed_at, close_reason, leaf_id, leaf_seq, next_seq, message_count, bytes,
    is_linear, context_seq
) VALUES (
    :session_id, :key, :header, :began_at, :closed_at, :close_reason, NULL, 0, 1, 0, :bytes, 1, 1
) RETURNING id;

-- name: close_transcript
-- End this life of a session.
UPDATE transcripts SET closed_at = :at, close_reason = :reason WHERE id = :transcript AND closed_at IS NULL;

-- name: reopen_transcript
-- Make a closed transcript the current one again.
UPDATE transcripts SET closed_at = NULL, close_reason = NULL WHERE id = :transcript;

-- name: update_transcript
-- What entries changed in the head of their transcript.
UPDATE transcripts SET
    leaf_id = :leaf_id, leaf_seq = :leaf_seq, next_seq = :next_seq, message_count = :message_count, bytes = :bytes,
    is_linear = :is_linear, context_seq = :context_seq
WHERE id = :transcript;

-- name: delete_transcript
-- Remove the head of a transcript whose entries are gone.
DELETE FROM transcripts WHERE id = :transcript;

-- name: insert_entry
-- One more line; nothing happens when the transcript has a line of that id.
INSERT INTO entries (transcript, seq, id, parent_seq, type, at, tokens, line)
VALUES (:transcript, :seq, :id, :parent_seq, :type, :at, :tokens, :line)
ON CONFLICT (transcript, id) DO NOTHING;

-- name: find_entry
-- Where an entry stands, and its line.
SELECT seq, line FROM entries WHERE transcript = :transcript AND id = :id;

-- name: delete_entries
-- Remove every line of a transcript.
DELETE FROM entries WHERE transcript = :transcript;

-- name: load_entries
-- The newest lines of a transcript without branches, newest first.
SELECT seq, line, tokens FROM entries
WHERE transcript = :transcript AND seq < :before_seq AND seq >= :from_seq
ORDER BY seq DESC LIMIT :limit;

-- name: load_message_entries
-- The newest messages of a transcript without branches, newest first.
SELECT seq, line, tokens FROM entries
WHERE transcript = :transcript AND seq < :before_seq AND seq >= :from_seq AND type = 'message'
ORDER BY seq DESC LIMIT :limit;

-- name: load_branch
-- The newest lines of the active branch, newest first.
{branch}
SELECT e.seq, e.line, e.tokens FROM branch AS b JOIN entries AS e ON e.transcript = :transcript AND e.seq = b.seq
WHERE b.seq < :before_seq AND b.seq >= :from_seq
ORDER BY e.seq DESC LIMIT :limit;

-- name: load_message_branch
-- The newest messages of the active branch, newest first.
{branch}
SELECT e.seq, e.line, e.tokens FROM branch AS b JOIN entries AS e ON e.transcript = :transcript AND e.seq = b.seq
WHERE b.seq < :before_seq AND b.seq >= :from_seq AND e.type = 'message'
ORDER BY e.seq DESC LIMIT :limit;

-- name: find_branch_compaction
-- The newest compaction of the active branch.
{branch}
SELECT e.seq, e.line FROM branch AS b JOIN entries AS e ON e.transcript = :transcript AND e.seq = b.seq
WHERE e.type = 'compaction' ORDER BY e.seq DESC LIMIT 1;

-- name: load_lines
-- Lines of all branches from a place on, in the order in which they were written.
SELECT seq, line, tokens FROM entries
WHERE transcript = :transcript AND seq >= :from_seq ORDER BY seq LIMIT :limit;
