-- `refusals` has a bit for each provider that refused it, by its place among those of the channel.
-- An accepted message without a receipt was taken for lost, and the next was told.
ALTER TABLE deliveries ADD COLUMN overdue BIGINT NOT NULL DEFAULT 0;
