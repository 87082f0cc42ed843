-- fragment: row
-- The columns of a decision, in the order in which `rows.read_decision` takes them.
id, at, session_key, inbound_id, turn_id, kind, outcome, rule, inputs, who

-- fragment: filtered
-- What every question about decisions may restrict.
(:kind IS NULL OR kind = :kind) AND (:since IS NULL OR at >= :since)
AND (:session_key IS NULL OR session_key = :session_key)
AND (:inbound_id IS NULL OR inbound_id = :inbound_id) AND (:turn_id IS NULL OR turn_id = :turn_id)
ORDER BY id DESC LIMIT :limit

-- name: insert_decision
-- One decision, in the transaction of its effect.
INSERT INTO decisions (at, session_key, inbound_id, turn_id, kind, outcome, rule, inputs, who)
VALUES (:at, :session_key, :inbound_id, :turn_id, :kind, :outcome, :rule, :inputs, :who);

-- name: load_decisions
-- The newest decisions.
SELECT {row} FROM decisions WHERE {filtered};

-- name: load_decisions_of_message
-- The newest decisions about a message.
SELECT {row} FROM decisions WHERE inbound_id = :inbound_id AND {filtered};

-- name: load_decisions_of_turn
-- The newest decisions about a turn.
SELECT {row} FROM decisions WHERE turn_id = :turn_id AND {filtered};

-- name: load_decisions_of_session
-- The newest decisions about a session.
SELECT {row} FROM decisions WHERE session_key = :session_key AND {filtered};
