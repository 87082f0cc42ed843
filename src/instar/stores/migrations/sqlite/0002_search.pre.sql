-- oldest build: 2
-- What a search over messages needs. A build that does not know these tables would leave the words of a session that
-- it deletes in the index, so none may use the database from here on.

-- Which messages are in the index, by a number that rises with the time they were written: newest first is a walk.
CREATE TABLE search_rows (
    id INTEGER PRIMARY KEY,
    transcript INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    UNIQUE (transcript, seq)
) STRICT;

-- How far the index has followed each transcript: the last line it has looked at, and the leaf it saw there.
CREATE TABLE search_marks (
    transcript INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    leaf_seq INTEGER NOT NULL
) STRICT;

-- The index itself holds places and no text: excerpts come from the lines. `secure-delete` takes the words of a
-- deleted message out of it at once, instead of at some later merge.
CREATE VIRTUAL TABLE search USING fts5(
    words, content = '', columnsize = 0,
    tokenize = "porter unicode61 remove_diacritics 2 categories 'L* N* Co M*'"
);
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
