-- Whose incident a delivery is of: the pace of messages is kept by tenant.
ALTER TABLE deliveries ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
UPDATE deliveries SET tenant = (SELECT i.tenant FROM incidents i WHERE i.id = deliveries.incident)
WHERE EXISTS (SELECT 1 FROM incidents i WHERE i.id = deliveries.incident);
