-- oldest build: 2
-- Which life of its session a model call was booked to, so that a budget for a session counts what was spent in it
-- whatever the clock said (COST-2). A build that does not know the column books without it: its lines count by their
-- time, as those of before do.
ALTER TABLE usage ADD COLUMN session_id TEXT;

CREATE INDEX usage_of_life ON usage (session_key, session_id, at);
