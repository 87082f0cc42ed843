-- name: list_arrivals
-- The next messages that came into a transcript, in the order of their arrival, with the moment they ended: a message
-- may arrive before the transcript that it begins.
SELECT seq, session_key, COALESCE(ended_at, received_at), submission FROM inbox
WHERE seq > :after AND state IN ('waiting', 'running', 'answered', 'merged') ORDER BY seq LIMIT :limit;

-- name: list_lives
-- The next sessions that have a transcript, with the moment the current one began; nothing where all are closed.
SELECT key, MAX(CASE WHEN closed_at IS NULL THEN began_at END) FROM transcripts
WHERE key > :after GROUP BY key ORDER BY key LIMIT :limit;

-- name: list_approved
-- Everybody whom the owner let in.
SELECT channel, chat_type, peer_id FROM pairings;
