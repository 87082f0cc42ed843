-- fragment: branch
-- The active branch from the leaf down to a place, newest first.
WITH RECURSIVE branch (seq, parent_seq) AS (
    SELECT seq, parent_seq FROM entries WHERE transcript = :transcript AND seq = :leaf_seq AND seq > :after
    UNION ALL
    SELECT e.seq, e.parent_seq FROM branch AS b
    JOIN entries AS e ON e.transcript = :transcript AND e.seq = b.parent_seq
    WHERE b.parent_seq > :after
)

-- name: load_search_mark
-- How far the index has followed a transcript.
SELECT seq, leaf_seq FROM search_marks WHERE transcript = :transcript;

-- name: save_search_mark
-- The index has followed a transcript so far.
INSERT INTO search_marks (transcript, seq, leaf_seq) VALUES (:transcript, :seq, :leaf_seq)
ON CONFLICT (transcript) DO UPDATE SET seq = excluded.seq, leaf_seq = excluded.leaf_seq;

-- name: delete_search_mark
-- Follow a transcript from its beginning again.
DELETE FROM search_marks WHERE transcript = :transcript;

-- name: delete_kept_out_mark
-- Follow a transcript again that was kept out of the index.
DELETE FROM search_marks WHERE transcript = :transcript AND seq = :kept_out;

-- name: list_unindexed
-- The next slice of transcripts, the newest first, each with whether the index is behind it.
SELECT t.id, t.session_id,
    last.seq IS NOT NULL AND (
        m.seq IS NULL OR m.seq < last.seq OR (m.seq = last.seq AND m.leaf_seq <> COALESCE(t.leaf_seq, last.seq))
    )
FROM transcripts AS t
LEFT JOIN entries AS last
    ON last.transcript = t.id AND last.seq = (SELECT MAX(seq) FROM entries WHERE transcript = t.id)
LEFT JOIN search_marks AS m ON m.transcript = t.id
WHERE t.id < :before ORDER BY t.id DESC LIMIT :limit;

-- name: load_followed_lines
-- The next messages of a transcript without branches, each with whether it is in the index.
SELECT e.seq, e.at, e.line, r.id IS NOT NULL FROM entries AS e
LEFT JOIN search_rows AS r ON r.transcript = e.transcript AND r.seq = e.seq
WHERE e.transcript = :transcript AND e.seq > :after AND e.type = 'message' ORDER BY e.seq LIMIT :limit;

-- name: find_branch_foot
-- What the part of the active branch above a place hangs on, NULL for nothing; no row where there is no such part.
{branch}
SELECT parent_seq FROM branch ORDER BY seq LIMIT 1;

-- name: load_followed_branch
-- The next messages of the active branch above a place, each with whether it is in the index.
{branch}
SELECT e.seq, e.at, e.line, r.id IS NOT NULL FROM branch AS b
JOIN entries AS e ON e.transcript = :transcript AND e.seq = b.seq
LEFT JOIN search_rows AS r ON r.transcript = e.transcript AND r.seq = e.seq
WHERE e.type = 'message' ORDER BY e.seq LIMIT :limit;

-- name: load_stale_rows
-- Messages in the index that are not on the active branch, with their lines.
{branch}
SELECT r.id, e.line FROM search_rows AS r
JOIN entries AS e ON e.transcript = r.transcript AND e.seq = r.seq
WHERE r.transcript = :transcript AND r.seq NOT IN (SELECT seq FROM branch) LIMIT :limit;

-- name: load_indexed_rows
-- Messages of a transcript that are in the index, with their lines.
SELECT r.id, e.line FROM search_rows AS r
JOIN entries AS e ON e.transcript = r.transcript AND e.seq = r.seq
WHERE r.transcript = :transcript LIMIT :limit;

-- name: list_kept_out
-- Transcripts that are kept out of the index and have messages in it.
SELECT t.session_id FROM search_marks AS m JOIN transcripts AS t ON t.id = m.transcript
WHERE m.seq = :kept_out AND EXISTS (SELECT 1 FROM search_rows AS r WHERE r.transcript = m.transcript);

-- name: find_indexed_transcript
-- A transcript of a key that has more than so many messages in the index.
SELECT t.id FROM transcripts AS t
WHERE t.key = :key AND EXISTS (SELECT 1 FROM search_rows WHERE transcript = t.id LIMIT 1 OFFSET :count) LIMIT 1;

-- name: count_indexed
-- How many messages are in the index.
SELECT COUNT(*) FROM search_rows;

-- name: find_search_id
-- The newest number in the index between two bounds.
SELECT MAX(id) FROM search_rows WHERE id >= :from_id AND id < :to_id;

-- name: insert_search_row
-- A message is in the index under this number.
INSERT INTO search_rows (id, transcript, seq) VALUES (:id, :transcript, :seq);

-- name: delete_search_row
-- A message is in the index no more.
DELETE FROM search_rows WHERE id = :id;

-- name: delete_search_rows
-- Nothing is in the index.
DELETE FROM search_rows;

-- name: delete_search_marks
-- The index has followed nothing.
DELETE FROM search_marks;
