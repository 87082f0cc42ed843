-- oldest build: 10
-- Lines of runs beside others (fanout), until the run ends and they take their place in the transcript together
-- (QUEUE-9). A build that does not know the table would leave the words of a run that was cut, and of a session that it
-- deletes, in here.
CREATE TABLE run_lines (
    turn_id TEXT NOT NULL,
    place INTEGER NOT NULL,
    session_key TEXT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (turn_id, place)
) STRICT, WITHOUT ROWID;

CREATE INDEX run_lines_of_session ON run_lines (session_key);
