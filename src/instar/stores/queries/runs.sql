-- name: hold_line
-- One more line of a run that goes on beside others.
INSERT INTO run_lines (turn_id, place, session_key, line) VALUES (
    :turn_id, 1 + (SELECT COALESCE(MAX(place), 0) FROM run_lines WHERE turn_id = :turn_id), :session_key, :line
);

-- name: load_held_lines
-- The lines of a run that are not in the transcript yet, in order.
SELECT place, line, 0 FROM run_lines WHERE turn_id = :turn_id ORDER BY place;

-- name: release_lines
-- The lines of a run are in the transcript from now on.
DELETE FROM run_lines WHERE turn_id = :turn_id AND session_key = :session_key;

-- name: delete_held_lines
-- Forget the lines of every run of a session that goes away.
DELETE FROM run_lines WHERE session_key = :session_key;
