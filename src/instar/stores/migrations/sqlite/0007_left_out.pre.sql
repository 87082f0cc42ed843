-- oldest build: 2
-- Whether the agent is still to be told of a message that fell to a full queue (QUEUE-13): 1 it is, 0 it was, NULL for
-- every other message. A build that does not know the column tells of what fell since its own start.
ALTER TABLE inbox ADD COLUMN left_out INTEGER;

CREATE INDEX inbox_left_out ON inbox (session_key, seq) WHERE left_out = 1;
