-- fragment: head
-- A transcript's head, in the order in which `rows.read_transcript` takes it: its row, its last line, its leaf.
t.id, t.session_id, t.key, t.header, t.began_at, t.closed_at, t.close_reason, t.is_linear, t.context_seq,
    last.seq, last.id, last.messages, last.bytes, leaf.seq, leaf.id
FROM transcripts AS t
LEFT JOIN entries AS last
    ON last.transcript = t.id AND last.seq = (SELECT MAX(seq) FROM entries WHERE transcript = t.id)
LEFT JOIN entries AS leaf ON leaf.transcript = t.id AND leaf.seq = t.leaf_seq

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
SELECT {head} WHERE t.session_id = :session_id;

-- name: load_transcripts
-- Every transcript of a key that is all there, the newest first.
SELECT {head} WHERE t.key = :key AND t.close_reason IS DISTINCT FROM 'staged'
ORDER BY t.closed_at IS NULL DESC, t.began_at DESC, t.id DESC;

-- name: insert_transcript
-- A new transcript without entries.
INSERT INTO transcripts (
    session_id, key, header, began_at, closed_at, close_reason, is_linear, context_seq, leaf_seq
) VALUES (:session_id, :key, :header, :began_at, :closed_at, :close_reason, 1, 1, NULL) RETURNING id;

-- name: close_transcript
-- End this life of a session.
UPDATE transcripts SET closed_at = :at, close_reason = :reason WHERE id = :transcript AND closed_at IS NULL;

-- name: reopen_transcript
-- Make a closed transcript the current one again.
UPDATE transcripts SET closed_at = NULL, close_reason = NULL WHERE id = :transcript;

-- name: rename_transcript
-- Give a transcript that came piece by piece its own id, so that it is there, or hide one that is to go piece by piece.
UPDATE transcripts SET session_id = :session_id, header = :header, closed_at = :closed_at, close_reason = :close_reason
WHERE id = :transcript;

-- name: list_staged
-- Transcripts that are not all there.
SELECT session_id FROM transcripts WHERE close_reason = 'staged';

-- name: update_transcript
-- What a branch or a compaction changed in the head of a transcript; a plain append changes nothing here.
UPDATE transcripts SET is_linear = :is_linear, context_seq = :context_seq, leaf_seq = :leaf_seq
WHERE id = :transcript;

-- name: delete_transcript
-- Remove the head of a transcript whose entries are gone.
DELETE FROM transcripts WHERE id = :transcript;

-- name: insert_entry
-- One more line; nothing happens when the transcript has a line of that id.
INSERT INTO entries (transcript, seq, id, parent_seq, type, at, tokens, messages, bytes, line)
VALUES (:transcript, :seq, :id, :parent_seq, :type, :at, :tokens, :messages, :bytes, :line)
ON CONFLICT (transcript, id) DO NOTHING;

-- name: find_entry
-- Where an entry stands, and its line.
SELECT seq, line FROM entries WHERE transcript = :transcript AND id = :id;

-- name: delete_some_entries
-- Remove the last lines of a transcript, so many at most.
DELETE FROM entries WHERE transcript = :transcript AND seq > (
    SELECT MAX(seq) FROM entries WHERE transcript = :transcript
) - :limit;

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
