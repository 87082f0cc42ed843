-- name: load_mark
-- What the mirror last left in a file.
SELECT path, seq, size, changed_ns FROM mirror WHERE owner = :owner;

-- name: list_written_indices
-- Where the mirror has written an index. A range, since a pattern would have every row looked at.
SELECT path FROM mirror WHERE owner >= 'index meant ' AND owner < 'index meant!';

-- name: save_mark
-- What the mirror left in a file now.
INSERT INTO mirror (owner, path, seq, size, changed_ns) VALUES (:owner, :path, :seq, :size, :changed_ns)
ON CONFLICT (owner) DO UPDATE SET
    path = excluded.path, seq = excluded.seq, size = excluded.size, changed_ns = excluded.changed_ns;

-- name: move_marks
-- The state directory lies elsewhere now, and its files with it.
UPDATE OR REPLACE mirror SET
    path = :new || substr(path, length(:old) + 1),
    owner = CASE WHEN owner LIKE 'index %' THEN replace(owner, :old, :new) ELSE owner END
WHERE substr(path, 1, length(:old)) = :old AND substr(path, 1, length(:new)) <> :new;

-- name: delete_mark
-- A file that the mirror has let go of.
DELETE FROM mirror WHERE owner = :owner;

-- name: list_mirrored
-- The next slice of all transcripts that are all there, with their last lines and what the mirror left of them.
SELECT t.id, t.session_id, t.key, t.closed_at, COALESCE(last.seq, 0), m.path, m.seq, m.size, m.changed_ns
FROM transcripts AS t
LEFT JOIN entries AS last
    ON last.transcript = t.id AND last.seq = (SELECT MAX(seq) FROM entries WHERE transcript = t.id)
LEFT JOIN mirror AS m ON m.owner = t.session_id
WHERE t.id > :after AND t.close_reason IS DISTINCT FROM 'staged' ORDER BY t.id LIMIT :limit;

-- name: list_lost_marks
-- Files of the mirror whose transcripts are gone.
SELECT owner FROM mirror
WHERE owner NOT LIKE 'index %' AND owner NOT LIKE 'folder %' AND owner NOT IN (SELECT session_id FROM transcripts);

-- name: list_folder_marks
-- Keys whose folders the mirror has written.
SELECT substr(owner, length('folder meant ') + 1) FROM mirror
WHERE owner >= 'folder meant ' AND owner < 'folder meant!';

-- name: load_slice
-- The next lines of a transcript, as many as fit into so many bytes, but at least one.
SELECT seq, line FROM entries
WHERE transcript = :transcript AND seq >= :from_seq AND seq < :from_seq + 500
    AND (seq = :from_seq OR bytes <= :until_bytes)
ORDER BY seq;
