-- oldest build: 10
-- Finds the agent's own message that somebody answers, by what the platform calls it (ACT-4). A build that does not look
-- for it loses nothing.
CREATE INDEX outbox_of_platform ON outbox (channel, platform_id) WHERE platform_id IS NOT NULL;
