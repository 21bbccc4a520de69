-- What other systems reported: one row for each alert of an integration.
CREATE TABLE external_alerts (
    tenant     TEXT NOT NULL,
    source     TEXT NOT NULL,
    alert_key  TEXT NOT NULL,
    -- The incident that it opened last.
    incident   TEXT NOT NULL,
    sequence   BIGINT NOT NULL,
    firing     BIGINT NOT NULL,
    priority   TEXT NOT NULL,
    starts_at  BIGINT NOT NULL,
    -- Firing: it is over then, unless it is reported again. Otherwise: it fires then, unless a heartbeat comes.
    ends_at    BIGINT,
    changed_at BIGINT NOT NULL,
    facts      TEXT NOT NULL,
    PRIMARY KEY (tenant, source, alert_key)
);

CREATE INDEX external_alerts_due ON external_alerts (ends_at) WHERE ends_at IS NOT NULL;
CREATE INDEX external_alerts_over ON external_alerts (changed_at) WHERE firing = 0;
