//! How SQLite answers what is asked most: by the index that was made for it.

use super::{Store, around, due, external};
use sqlx::Row as _;

/// Incidents, one of a thousand of them open.
const FILL: &str = "WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i < 19999) \
     INSERT INTO incidents (id, tenant, partition_no, template, group_tags, title, why, unit, priority, peak, started_at, \
     opened_at, status, firing, until_resolved, last_sequence, revision, deliveries, opening, round, paged, nobody, search, changed_at) \
     SELECT printf('%032d', i), 'tenant-' || (i % 10), 0, 'x', '[]', 'x', 'x', '', \
     CASE i % 3 WHEN 0 THEN 'P1' ELSE 'P2' END, 'P1', i, i, CASE i % 1000 WHEN 0 THEN 'open' ELSE 'closed' END, \
     0, 0, 1, 1, 0, 'firing', 0, 0, 0, 'x', i FROM numbers";

/// As a list asks for what is open and most urgent of a tenant.
const OPEN_P1: &str = "SELECT incidents.* FROM incidents WHERE tenant IN ('tenant-8') AND status IN ('open') \
     AND status <> 'closed' AND priority IN ('P1') ORDER BY opened_at DESC, id DESC LIMIT 51";

/// All of one tenant are open, as when a storm has begun.
const STORM: &str =
    "UPDATE incidents SET tenant = 'tenant-0', status = 'open', host = id, grouped_by = template";

async fn plan(store: &Store, sql: String) -> String {
    let asked = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")));
    let rows = asked.fetch_all(&store.writer).await.unwrap();
    let steps: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
    steps.join("; ")
}

#[tokio::test]
async fn what_is_open_is_found_by_its_index_once_the_tables_were_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("incidents.db");
    let store = Store::sqlite(&file).await.unwrap();
    sqlx::raw_sql(FILL).execute(&store.writer).await.unwrap();
    store.tend().await.unwrap();
    store.close().await;
    let store = Store::sqlite(&file).await.unwrap();
    let found = plan(&store, OPEN_P1.to_owned()).await;
    assert!(found.contains("incidents_live"), "{found}");
}

#[tokio::test]
async fn deliveries_are_taken_in_their_order_without_sorting_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::sqlite(&folder.path().join("incidents.db"))
        .await
        .unwrap();
    let found = plan(&store, store.dialect.claim_deliveries.to_owned()).await;
    assert!(
        found.contains("SEARCH d USING INDEX deliveries_next"),
        "{found}"
    );
    assert!(
        found.contains("deliveries_of_incident (incident=?"),
        "{found}"
    );
    assert!(!found.contains("TEMP B-TREE"), "{found}");
}

#[tokio::test]
async fn whose_time_has_come_is_found_from_tenant_to_tenant() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("incidents.db");
    let store = Store::sqlite(&file).await.unwrap();
    sqlx::raw_sql(FILL).execute(&store.writer).await.unwrap();
    sqlx::raw_sql("UPDATE incidents SET status = 'open', due_at = opened_at")
        .execute(&store.writer)
        .await
        .unwrap();
    for looked in [false, true] {
        if looked {
            sqlx::raw_sql("ANALYZE")
                .execute(&store.writer)
                .await
                .unwrap();
        }
        for (sql, by) in [
            (
                due::DUE_TENANTS,
                "incidents_due_of_tenant (priority=? AND tenant>?)",
            ),
            (
                due::DUE_TENANTS,
                "incidents_due_of_tenant (priority=? AND tenant=? AND due_at<?)",
            ),
            (
                store.dialect.claim_due,
                "incidents_due_of_tenant (priority=? AND tenant=? AND due_at<?)",
            ),
            (
                external::DUE,
                "external_alerts_next (firing=? AND ends_at<?)",
            ),
        ] {
            let found = plan(&store, sql.to_owned()).await;
            assert!(found.contains(by), "looked: {looked}, {sql}: {found}");
            assert!(!found.contains("TEMP B-TREE"), "{found}");
        }
    }
}

#[tokio::test]
async fn in_a_storm_neighbours_are_found_by_what_they_are_about() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("incidents.db");
    let store = Store::sqlite(&file).await.unwrap();
    sqlx::raw_sql(FILL).execute(&store.writer).await.unwrap();
    sqlx::raw_sql(STORM).execute(&store.writer).await.unwrap();
    // While the database still believes that its tables are empty, and once it has looked.
    for looked in [false, true] {
        if looked {
            sqlx::raw_sql("ANALYZE")
                .execute(&store.writer)
                .await
                .unwrap();
        }
        for (sql, by) in [
            (
                around::of_template(true),
                "(tenant=? AND template=? AND host=?)",
            ),
            (around::of_template(false), "(tenant=? AND template=?"),
            (around::of_group(), "(tenant=? AND grouped_by=?"),
        ] {
            let found = plan(&store, sql.clone()).await;
            assert!(found.contains(by), "looked: {looked}, {sql}: {found}");
        }
    }
}
