//! Lists of incidents, and searches among them.
//!
//! A search looks at the newest first: what is common is found there at once. What is not, an index of every three neighbouring
//! characters finds, whatever the planner believes of a text that it has never seen. What that index has not (a text of one or two
//! characters) is looked for in bounded parts: such a page may hold few incidents or none, and still says where the next begins.

use super::read::{LARGEST_PAGE, summary};
use super::{Store, StoreError, search};
use crate::commands::{CommandError, Filter, Listing, Page};
use crate::core::{IncidentSummary, Status, Tenants};
use model::{IncidentId, TenantId};
use sqlx::any::AnyArguments;
use sqlx::{AssertSqlSafe, Row as _};

/// The newest that are looked at before an index is asked.
const NEWEST: u32 = 2_000;
/// Incidents that one answer looks at where no index helps: some 20 ms.
const PART: u32 = 20_000;
const ORDER: &str = "ORDER BY opened_at DESC, id DESC";

/// What a look at a part of the incidents has found.
struct Looked {
    /// Up to one more than was asked for.
    found: Vec<IncidentSummary>,
    /// Where the part ended; none where the incidents did.
    ended: Option<String>,
}

impl Store {
    /// Lists incidents, newest opened first. A page of a search may be short although there is a next one.
    pub async fn list(&self, filter: &Filter, page: &Page) -> Result<Listing, CommandError> {
        let limit = page.limit.clamp(1, LARGEST_PAGE);
        if matches!(&filter.within, Tenants::These(ids) if ids.is_empty()) {
            return Ok(listing(Vec::new(), limit));
        }
        let text = filter.text.as_deref().filter(|text| !text.is_empty());
        let Some(text) = text else {
            let conditions = Conditions::of(filter, page)?;
            let sql = format!(
                "SELECT * FROM incidents{} {ORDER} LIMIT {}",
                conditions.clause(),
                limit + 1
            );
            return Ok(listing(self.summaries(conditions, sql).await?, limit));
        };
        let newest = self.look(filter, page, text, NEWEST).await?;
        if newest.found.len() > limit as usize || newest.ended.is_none() {
            return Ok(listing(newest.found, limit));
        }
        let indexed = search::few(&self.reader, self.dialect, text).await;
        if let Some(indexed) = indexed.map_err(store)? {
            return self.ask_index(filter, page, text, indexed).await;
        }
        let part = self.look(filter, page, text, PART).await?;
        let whole = part.found.len() > limit as usize;
        let mut listing = listing(part.found, limit);
        if !whole {
            listing.next = part.ended;
        }
        Ok(listing)
    }

    /// Looks for a text among the newest `among` of those that fit the filter.
    async fn look(
        &self,
        filter: &Filter,
        page: &Page,
        text: &str,
        among: u32,
    ) -> Result<Looked, CommandError> {
        let limit = page.limit.clamp(1, LARGEST_PAGE);
        let mut conditions = Conditions::of(filter, page)?;
        let holds = conditions.contains("search", text, self.dialect.escape);
        let sql = format!(
            "SELECT * FROM (SELECT * FROM incidents{} {ORDER} LIMIT {among}) newest WHERE {holds} {ORDER} LIMIT {}",
            conditions.clause(),
            limit + 1
        );
        let found = self.summaries(conditions, sql).await?;
        let conditions = Conditions::of(filter, page)?;
        let sql = format!(
            "SELECT opened_at, id FROM incidents{} {ORDER} LIMIT 1 OFFSET {}",
            conditions.clause(),
            among - 1
        );
        let last = conditions.bind(sql).persistent(false);
        let last = last.fetch_optional(&self.reader).await.map_err(store)?;
        let ended = match last {
            Some(row) => {
                let at: i64 = row.try_get("opened_at").map_err(store)?;
                let id: String = row.try_get("id").map_err(store)?;
                Some(format!("{at}.{id}"))
            }
            None => None,
        };
        Ok(Looked { found, ended })
    }

    /// Finds a text by the index.
    async fn ask_index(
        &self,
        filter: &Filter,
        page: &Page,
        text: &str,
        indexed: search::Indexed,
    ) -> Result<Listing, CommandError> {
        let limit = page.limit.clamp(1, LARGEST_PAGE);
        let mut conditions = Conditions::of(filter, page)?;
        let holds = conditions.contains("incidents.search", text, self.dialect.escape);
        conditions.all.push(holds);
        let from = match indexed {
            // In this order: first those that hold the text, then what else is asked of them.
            search::Indexed::Phrase(phrase) => {
                let n = conditions.value(Value::Text(phrase));
                conditions.all.push(format!("incidents_search MATCH ${n}"));
                "incidents_search CROSS JOIN incidents ON incidents.rowid = incidents_search.rowid"
            }
            search::Indexed::Pattern => "incidents",
        };
        // `OFFSET 0` keeps the order from the planner, which believes of one text in fifty that it is common enough to be met soon
        // among the newest, and would walk through all incidents for it.
        let sql = format!(
            "SELECT * FROM (SELECT incidents.* FROM {from}{} LIMIT {} OFFSET 0) holding {ORDER} LIMIT {}",
            conditions.clause(),
            i64::MAX,
            limit + 1
        );
        Ok(listing(self.summaries(conditions, sql).await?, limit))
    }

    /// Planned for these values: whether a text is rare decides how it is found.
    async fn summaries(
        &self,
        conditions: Conditions,
        sql: String,
    ) -> Result<Vec<IncidentSummary>, CommandError> {
        let query = conditions.bind(sql).persistent(false);
        let found = query.fetch_all(&self.reader).await.map_err(store)?;
        let found = found.iter().map(summary).collect::<Result<_, _>>();
        found.map_err(store)
    }
}

/// A page of what was found, one more than which was asked for.
fn listing(mut incidents: Vec<IncidentSummary>, limit: u32) -> Listing {
    let more = incidents.len() > limit as usize;
    incidents.truncate(limit as usize);
    let next = incidents
        .last()
        .filter(|_| more)
        .map(|last| format!("{}.{}", last.opened_at.as_nanos(), last.id));
    Listing { incidents, next }
}

enum Value {
    Text(String),
    Int(i64),
}

/// Conditions with numbered placeholders.
#[derive(Default)]
pub(super) struct Conditions {
    all: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    /// Those of a filter without its text, and of what is behind a page.
    fn of(filter: &Filter, page: &Page) -> Result<Self, CommandError> {
        let mut conditions = Self::default();
        if let Some(tenant) = &filter.tenant {
            conditions.equal("tenant", [tenant.as_str()]);
        }
        if let Tenants::These(ids) = &filter.within {
            conditions.equal("tenant", ids.iter().map(TenantId::as_str));
        }
        conditions.equal("status", filter.status.iter().map(|status| status.as_str()));
        if !filter.status.is_empty() && !filter.status.contains(&Status::Closed) {
            // What the index of those that are not closed is for, word for word.
            conditions.all.push("status <> 'closed'".to_owned());
        }
        conditions.equal(
            "priority",
            filter.priority.iter().map(|priority| priority.as_str()),
        );
        if let Some(cursor) = &page.after {
            conditions.behind(cursor)?;
        }
        Ok(conditions)
    }

    fn value(&mut self, value: Value) -> usize {
        self.values.push(value);
        self.values.len()
    }

    /// One of these values; none given is any.
    pub(super) fn equal<'a>(&mut self, column: &str, values: impl IntoIterator<Item = &'a str>) {
        let places: Vec<String> = values
            .into_iter()
            .map(|value| format!("${}", self.value(Value::Text(value.to_owned()))))
            .collect();
        if !places.is_empty() {
            self.all
                .push(format!("{column} IN ({})", places.join(", ")));
        }
    }

    /// That the column holds a text, as a condition that a query may put where it wants.
    fn contains(&mut self, column: &str, text: &str, escape: &str) -> String {
        let mut pattern = String::from("%");
        for c in text.to_lowercase().chars() {
            if matches!(c, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push('%');
        let n = self.value(Value::Text(pattern));
        format!("{column} LIKE ${n}{escape}")
    }

    fn behind(&mut self, cursor: &str) -> Result<(), CommandError> {
        let bad = || CommandError::BadCursor(cursor.chars().take(80).collect());
        let (at, id) = cursor.split_once('.').ok_or_else(bad)?;
        let at: i64 = at.parse().map_err(|_| bad())?;
        let id = IncidentId::parse(id).map_err(|_| bad())?;
        let at = self.value(Value::Int(at));
        let id = self.value(Value::Text(id.to_string()));
        self.all.push(format!(
            "(opened_at < ${at} OR (opened_at = ${at} AND id < ${id}))"
        ));
        Ok(())
    }

    /// The query with the values of the conditions. `sql` holds fixed words and numbered
    /// placeholders only.
    pub(super) fn bind<'q>(self, sql: String) -> sqlx::query::Query<'q, sqlx::Any, AnyArguments> {
        let query = sqlx::query(AssertSqlSafe(sql));
        self.values
            .into_iter()
            .fold(query, |query, value| match value {
                Value::Text(text) => query.bind(text),
                Value::Int(int) => query.bind(int),
            })
    }

    pub(super) fn clause(&self) -> String {
        if self.all.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", self.all.join(" AND "))
        }
    }
}

fn store(error: impl Into<StoreError>) -> CommandError {
    CommandError::Store(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two parts and a half; the oldest alone holds `q7 oldest`.
    const FILL: &str = "WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < 50000) \
         INSERT INTO incidents (id, tenant, partition_no, template, group_tags, title, why, unit, priority, peak, started_at, \
         opened_at, status, firing, until_resolved, last_sequence, revision, deliveries, opening, round, paged, nobody, search, changed_at) \
         SELECT printf('%032d', i), 'acme', 0, 'x', '[]', 'x', 'x', '', 'P3', 'P3', i, i, 'closed', 0, 0, 1, 1, 0, 'firing', 0, 0, 0, \
         CASE i WHEN 1 THEN 'q7 oldest' ELSE 'common' END, i FROM numbers";

    async fn found(store: &Store, text: &str) -> Vec<(usize, bool)> {
        let filter = Filter {
            text: Some(text.to_owned()),
            ..Filter::default()
        };
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let page = Page { limit: 50, after };
            let listing = store.list(&filter, &page).await.unwrap();
            pages.push((listing.incidents.len(), listing.next.is_some()));
            after = listing.next;
            if after.is_none() || pages.len() == 5 {
                return pages;
            }
        }
    }

    #[tokio::test]
    async fn a_text_too_short_for_the_index_is_looked_for_in_parts_that_end() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::sqlite(&folder.path().join("incidents.db"))
            .await
            .unwrap();
        sqlx::raw_sql(FILL).execute(&store.writer).await.unwrap();
        // 20,000 are looked at for each page, and the last page has it.
        assert_eq!(
            found(&store, "q7").await,
            [(0, true), (0, true), (1, false)]
        );
        // The index knows where it is.
        assert_eq!(found(&store, "oldest").await, [(1, false)]);
        assert_eq!(found(&store, "nowhere").await, [(0, false)]);
        // What is common is found among the newest.
        assert_eq!(found(&store, "co").await, [(50, true); 5]);
        assert_eq!(found(&store, "common").await, [(50, true); 5]);
    }
}
