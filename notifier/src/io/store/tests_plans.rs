//! How SQLite answers what is asked most: by the index that was made for it.

use super::Store;
use sqlx::Row as _;

/// Incidents, one of a thousand of them open.
const FILL: &str = "WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i < 19999) \
     INSERT INTO incidents (id, tenant, partition_no, template, group_tags, title, why, unit, priority, peak, started_at, \
     opened_at, status, firing, until_resolved, last_sequence, revision, deliveries, opening, round, paged, nobody, search, changed_at) \
     SELECT printf('%032d', i), 'tenant-' || (i % 10), 0, 'x', '[]', 'x', 'x', '', \
     CASE i % 3 WHEN 0 THEN 'P1' ELSE 'P2' END, 'P1', i, i, CASE i % 1000 WHEN 0 THEN 'open' ELSE 'closed' END, \
     0, 0, 1, 1, 0, 'firing', 0, 0, 0, 'x', i FROM numbers";

/// As a list asks for what is open and most urgent of a tenant.
const OPEN_P1: &str = "EXPLAIN QUERY PLAN SELECT incidents.* FROM incidents WHERE tenant IN ('tenant-8') AND status IN ('open') \
     AND status <> 'closed' AND priority IN ('P1') ORDER BY opened_at DESC, id DESC LIMIT 51";

async fn plan(store: &Store) -> String {
    let rows = sqlx::query(OPEN_P1).fetch_all(&store.writer).await.unwrap();
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
    let found = plan(&store).await;
    assert!(found.contains("incidents_live"), "{found}");
}

#[tokio::test]
async fn deliveries_are_taken_in_their_order_without_sorting_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::sqlite(&folder.path().join("incidents.db"))
        .await
        .unwrap();
    let sql = format!("EXPLAIN QUERY PLAN {}", store.dialect.claim_deliveries);
    let asked = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    let rows = asked.fetch_all(&store.writer).await.unwrap();
    let steps: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
    let found = steps.join("; ");
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
