-- From tenant to tenant by the index, not through what is due.
WITH RECURSIVE tenants(tenant) AS (
    SELECT (SELECT i.tenant FROM incidents i WHERE i.priority = $1 AND i.due_at IS NOT NULL
            ORDER BY i.tenant, i.due_at LIMIT 1)
    UNION ALL
    SELECT (SELECT i.tenant FROM incidents i
            WHERE i.priority = $1 AND i.due_at IS NOT NULL AND i.tenant > tenants.tenant
            ORDER BY i.tenant, i.due_at LIMIT 1)
    FROM tenants WHERE tenants.tenant IS NOT NULL)
SELECT tenants.tenant FROM tenants
WHERE tenants.tenant IS NOT NULL AND EXISTS (
    SELECT 1 FROM incidents i WHERE i.priority = $1 AND i.tenant = tenants.tenant AND i.due_at <= $2)
