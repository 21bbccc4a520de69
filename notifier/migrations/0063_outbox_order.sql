-- The order in which a channel's deliveries are taken, so that the first few are found without sorting what a storm left behind.
CREATE INDEX deliveries_next ON deliveries (channel, lane, ready_at, ordinal) WHERE fate = 'queued';
