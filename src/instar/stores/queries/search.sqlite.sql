-- name: index_words
-- Put the words of a message into the index.
INSERT INTO search (rowid, words) VALUES (:id, :words);

-- name: unindex_words
-- Take the words of a message out of the index; they must be those that were put in.
INSERT INTO search (search, rowid, words) VALUES ('delete', :id, :words);

-- name: empty_index
-- Take everything out of the index.
INSERT INTO search (search) VALUES ('delete-all');

-- name: merge_index
-- Write the index in one piece.
INSERT INTO search (search) VALUES ('optimize');

-- name: search_messages
-- The newest messages in which all words occur, of sessions that may be seen and transcripts that are not kept out; the
-- joins stop when the page is full.
SELECT t.key, t.session_id, r.seq, e.line
FROM search AS f
CROSS JOIN search_rows AS r ON r.id = f.rowid
CROSS JOIN transcripts AS t ON t.id = r.transcript
CROSS JOIN sessions AS s ON s.key = t.key
CROSS JOIN entries AS e ON e.transcript = r.transcript AND e.seq = r.seq
WHERE f.words MATCH :query
    AND NOT EXISTS (SELECT 1 FROM search_marks AS m WHERE m.transcript = r.transcript AND m.seq = :kept_out)
    AND (:agent_id IS NULL OR s.agent_id = :agent_id)
    AND (:owners IS NULL OR s.owner IN (SELECT value FROM json_each(:owners)) OR s.key IN (
        SELECT session_key FROM members WHERE person IN (SELECT value FROM json_each(:owners))
    ))
    AND (:keys IS NULL OR s.key IN (SELECT value FROM json_each(:keys)))
ORDER BY f.rowid DESC LIMIT :limit;
