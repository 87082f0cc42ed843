-- oldest build: 2
-- What sessions are told of changes in others (STATE-1…9). Nothing here holds words of a message. A build that does not
-- know these tables tells nobody; what it leaves out is missing in the log, and no version falls.

-- The highest sequence of each session's log. It outlives the rows of the log and the session itself.
CREATE TABLE state_versions (
    session_key TEXT PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What happened in each session, numbered within it from 1. `actor` is the session that did it, NULL for anybody else.
CREATE TABLE state_log (
    id INTEGER PRIMARY KEY,
    session_key TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    kind TEXT NOT NULL,
    actor_type TEXT NOT NULL,
    actor TEXT,
    summary TEXT NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (session_key, sequence)
) STRICT;

-- Who watches whom, and the version up to which the watcher has been told.
CREATE TABLE state_watches (
    watcher TEXT NOT NULL,
    target TEXT NOT NULL,
    cursor INTEGER NOT NULL,
    PRIMARY KEY (watcher, target)
) STRICT, WITHOUT ROWID;

CREATE INDEX state_watches_of_target ON state_watches (target);

-- What waits to be told to a session at the begin of its next turn: at most one about each session that it watches.
CREATE TABLE notices (
    id INTEGER PRIMARY KEY,
    session_key TEXT NOT NULL,
    about TEXT NOT NULL,
    since INTEGER NOT NULL,
    version INTEGER NOT NULL,
    text TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (session_key, about)
) STRICT;

CREATE INDEX notices_about ON notices (about);
