-- oldest build: 2
-- Where the person wrote whose message a model call answered, so that a budget can be for one channel (COST-2).
-- A build that does not know the column books without it: its lines count for every budget but those of a channel.
ALTER TABLE usage ADD COLUMN channel TEXT;
