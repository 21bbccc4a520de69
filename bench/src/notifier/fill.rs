//! A store with years of incidents in it: written by SQL, for through the notifier it would take hours.

use anyhow::Result;
use model::Priority;
use sqlx::any::AnyPoolOptions;
use sqlx::{AssertSqlSafe, Executor};

/// Incidents in one statement.
const PART: u64 = 50_000;
/// Between the openings of two, in nanoseconds: a million of them are 90 days.
const BETWEEN: i64 = 7_776_000_000;
/// Tenants and hosts of each; an incident's number says whose it is.
pub(super) const TENANTS: u64 = 100;
pub(super) const HOSTS: u64 = 5_000;

/// A number, and what follows from it: one incident of a hundred is a P1, nine are a P2; one of a thousand is not closed.
const NUMBERS: &str = "WITH RECURSIVE numbers(i) AS (\
     SELECT CAST({first} AS BIGINT) UNION ALL SELECT i + 1 FROM numbers WHERE i < {last}), \
     known AS (SELECT i, \
       substr('00000000000000000000000000000000' || i, length('' || i) + 1) AS id, \
       'tenant-' || (i % {tenants}) AS tenant, 'web-' || (10000 + i % {hosts}) AS host, \
       CASE WHEN i % 100 = 7 THEN 'P1' WHEN i % 10 = 3 THEN 'P2' ELSE 'P3' END AS priority, \
       CASE i % 1000 WHEN 1 THEN 'open' WHEN 7 THEN 'open' WHEN 3 THEN 'acknowledged' ELSE 'closed' END AS status, \
       CASE i % 4 WHEN 0 THEN 'cpu-usage' WHEN 1 THEN 'disk-usage' WHEN 2 THEN 'memory-usage' ELSE 'host-down' END AS template, \
       CASE i % 4 WHEN 0 THEN 'CPU usage is critically high' WHEN 1 THEN 'Disk is nearly full' \
         WHEN 2 THEN 'Memory usage is high' ELSE 'Host is silent' END AS title, \
       CASE i % 4 WHEN 0 THEN 'CPU 사용률이 매우 높음' WHEN 1 THEN '디스크가 거의 찼음' \
         WHEN 2 THEN '메모리 사용률이 높음' ELSE '호스트가 조용함' END AS title_ko, \
       {now} - ({count} - i) * {between} AS opened FROM numbers) ";

const INCIDENTS: &str = "INSERT INTO incidents (id, tenant, partition_no, template, group_tags, env, title, title_ko, \
     why, unit, value, threshold, priority, peak, started_at, opened_at, status, firing, closed_at, until_resolved, \
     last_sequence, revision, deliveries, opening, round, target, escalates_at, paged, nobody, due_at, search, \
     changed_at, host) {numbers} \
     SELECT id, tenant, 0, template, '[[\"host\",\"' || host || '\"]]', 'prod', title || ' on ' || host, title_ko, \
     'average of 5m is 97, above 90 for 5m', 'percent', 97.0, 90.0, priority, priority, opened, opened, status, \
     CASE status WHEN 'closed' THEN 0 ELSE 1 END, CASE status WHEN 'closed' THEN opened + 600000000000 END, 0, 2, 4, 2, \
     'firing', 0, CASE status WHEN 'open' THEN -1 END, CASE status WHEN 'open' THEN {later} END, 1, 0, \
     CASE status WHEN 'open' THEN {later} WHEN 'acknowledged' THEN {later} END, \
     lower(title || ' on ' || host || '\n' || title_ko || '\n' || template || '\n' || host), \
     opened + 600000000000, host FROM known";

const TIMELINE: &str = "INSERT INTO timeline (incident, ordinal, at, kind, body) {numbers} \
     SELECT id, 1, opened, 'firing', priority || ': ' || title || '. average of 5m is 97, above 90 for 5m' FROM known";

const DELIVERIES: &str = "INSERT INTO deliveries (id, incident, ordinal, revision, purpose, channel, address, name, \
     language, mentions, priority, lane, token, fate, attempts, unknowns, asks, possible_repeat, ready_at, lease, \
     created_at, updated_at) {numbers} \
     SELECT id, id, 1, 1, 'firing', 'chat', 'C0000000002', 'C0000000002', 'en', '[]', priority, 3, id, 'delivered', 1, 0, \
     0, 0, opened, 1, opened, opened FROM known";

/// Rooms of the tenant that has such a storm; an incident's tag `part` says which.
pub(super) const STORM_ROOMS: u64 = 20;

/// Incidents of one tenant that were told of once; the next step of all is due at one moment.
const STORM: &str = "INSERT INTO incidents (id, tenant, partition_no, template, group_tags, env, title, why, unit, value, \
     threshold, priority, peak, started_at, opened_at, status, firing, until_resolved, last_sequence, revision, deliveries, \
     opening, round, target, escalates_at, paged, nobody, due_at, search, changed_at, host) \
     WITH RECURSIVE numbers(i) AS (\
     SELECT CAST({first} AS BIGINT) UNION ALL SELECT i + 1 FROM numbers WHERE i < {last}) \
     SELECT 'ffff' || substr('0000000000000000000000000000' || i, length('' || i) + 1), '{tenant}', 0, 'cpu-usage', \
     '[[\"host\",\"db-' || i || '\"],[\"part\",\"' || (i % {parts}) || '\"]]', 'prod', 'CPU usage on db-' || i, 'average of 5m is 97, above 90 for 5m', 'percent', \
     97.0, 90.0, '{priority}', '{priority}', {now}, {now}, 'open', 1, 0, 1, 1, 1, 'firing', 0, 1, {due}, 1, 0, {due}, \
     'cpu usage on db-' || i, {now}, 'db-' || i FROM numbers";

/// Adds a storm of so many incidents of a tenant, whose second step is due at `due`, in nanoseconds since 1970.
///
/// # Errors
/// When the database does not take them.
pub(super) async fn storm(
    url: &str,
    (tenant, priority): (&str, Priority),
    count: u64,
    (now, due): (i64, i64),
) -> Result<()> {
    sqlx::any::install_default_drivers();
    let pool = AnyPoolOptions::new()
        .max_connections(1)
        .connect(url)
        .await?;
    for first in (0..count).step_by(usize::try_from(PART)?) {
        let last = (first + PART).min(count) - 1;
        let sql = STORM
            .replace("{first}", &first.to_string())
            .replace("{last}", &last.to_string())
            .replace("{tenant}", tenant)
            .replace("{parts}", &STORM_ROOMS.to_string())
            .replace("{priority}", priority.as_str())
            .replace("{now}", &now.to_string())
            .replace("{due}", &due.to_string());
        pool.execute(AssertSqlSafe(sql)).await?;
    }
    pool.close().await;
    Ok(())
}

/// Fills a database whose tables are there and empty. `now` is nanoseconds since 1970.
///
/// # Errors
/// When it does not take them.
pub(super) async fn fill(url: &str, count: u64, now: i64) -> Result<()> {
    sqlx::any::install_default_drivers();
    let pool = AnyPoolOptions::new()
        .max_connections(1)
        .connect(url)
        .await?;
    let later = now.saturating_add(365 * 86_400 * 1_000_000_000);
    for first in (0..count).step_by(usize::try_from(PART)?) {
        let last = (first + PART).min(count) - 1;
        let numbers = NUMBERS
            .replace("{first}", &first.to_string())
            .replace("{last}", &last.to_string())
            .replace("{count}", &count.to_string())
            .replace("{tenants}", &TENANTS.to_string())
            .replace("{hosts}", &HOSTS.to_string())
            .replace("{between}", &BETWEEN.to_string())
            .replace("{now}", &now.to_string());
        for table in [INCIDENTS, TIMELINE, DELIVERIES] {
            let sql = table.replace("{numbers}", &numbers);
            let sql = sql.replace("{later}", &later.to_string());
            pool.execute(AssertSqlSafe(sql)).await?;
        }
    }
    // What a server does by itself soon after so many rows; the notifier does it for SQLite when it starts.
    if !url.starts_with("sqlite:") {
        pool.execute("ANALYZE").await?;
    }
    pool.close().await;
    Ok(())
}
