-- Which provider has a delivery, or has it next; none: the first of its channel.
ALTER TABLE deliveries ADD COLUMN provider TEXT;
-- How many providers have refused it.
ALTER TABLE deliveries ADD COLUMN refusals BIGINT NOT NULL DEFAULT 0;
