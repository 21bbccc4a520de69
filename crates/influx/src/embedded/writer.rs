//! The one connection that writes, with the ids that it knows.

use super::lines::NewPoint;
use super::{EmbeddedOptions, TABLES, VERSION};
use crate::FieldValue;
use model::{Span, Timestamp};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, QueryBuilder, Sqlite};
use std::collections::HashMap;

/// Rows of one statement; full ones share a prepared statement.
const ROWS: usize = 400;
/// Ids kept in memory; when there are more, they are looked up again.
const KNOWN: usize = 100_000;
/// How often points past the retention are deleted.
const SWEEP: Span = Span::from_secs(600);

/// Why points were not stored, or not all.
pub(super) enum Failure {
    /// There is no such bucket.
    NoBucket,
    /// These were left out, the others are stored.
    Dropped { reason: String },
    /// The store failed; nothing is stored.
    Sql(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// A value on its way into the table.
type Row<'a> = (i64, i64, i64, &'a FieldValue);
/// Bucket, measurement and tags, or bucket, measurement and field.
type Name = (i64, String, String);

#[derive(Debug)]
pub(super) struct Writer {
    connect: SqliteConnectOptions,
    connection: SqliteConnection,
    /// An operation failed: SQLite may have rolled back by itself, which the library does not notice. From then on it
    /// would nest every transaction in one that nobody commits.
    suspect: bool,
    options: EmbeddedOptions,
    buckets: HashMap<String, i64>,
    series: HashMap<Name, i64>,
    fields: HashMap<Name, (i64, String)>,
    next_sweep: Timestamp,
}

impl Writer {
    pub(super) async fn open(
        connect: &SqliteConnectOptions,
        options: EmbeddedOptions,
    ) -> Result<Self, sqlx::Error> {
        let mut connection = connect.connect().await?;
        let version: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut connection)
            .await?;
        match version {
            0 => {
                let mut transaction = connection.begin().await?;
                sqlx::raw_sql(TABLES).execute(&mut *transaction).await?;
                transaction.commit().await?;
            }
            VERSION => {}
            newer => {
                return Err(sqlx::Error::Configuration(
                    format!("its tables are of version {newer}, this program knows {VERSION}")
                        .into(),
                ));
            }
        }
        Ok(Self {
            connect: connect.clone(),
            connection,
            suspect: false,
            options,
            buckets: HashMap::new(),
            series: HashMap::new(),
            fields: HashMap::new(),
            next_sweep: Timestamp::from_nanos(i64::MIN),
        })
    }

    pub(super) async fn ensure_bucket(&mut self, bucket: &str) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT INTO bucket (name) VALUES (?) ON CONFLICT DO NOTHING")
            .bind(bucket)
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Stores the points, or those that can be.
    pub(super) async fn store(
        &mut self,
        bucket: &str,
        points: Vec<NewPoint>,
    ) -> Result<(), Failure> {
        if self.suspect {
            self.connection = self.connect.connect().await?;
            self.suspect = false;
        }
        let stored = self.try_store(bucket, &points).await;
        if matches!(stored, Err(Failure::Sql(_))) {
            // What was made in the transaction that failed is not there.
            self.series.clear();
            self.fields.clear();
            self.suspect = true;
        }
        stored
    }

    async fn try_store(&mut self, bucket: &str, points: &[NewPoint]) -> Result<(), Failure> {
        let bucket = self.bucket(bucket).await?;
        if self.series.len() > KNOWN {
            self.series.clear();
        }
        let stored = self.store_in(bucket, points).await;
        if !matches!(stored, Err(Failure::Sql(_))) {
            self.sweep().await?;
        }
        stored
    }

    async fn store_in(&mut self, bucket: i64, points: &[NewPoint]) -> Result<(), Failure> {
        let oldest = self.oldest();
        let mut transaction = self.connection.begin().await?;
        let mut rows: Vec<Row<'_>> = Vec::with_capacity(points.len() * 4);
        let mut dropped = Dropped::default();
        for point in points {
            if oldest.is_some_and(|oldest| point.time < oldest.as_nanos()) {
                dropped.expired(point);
                continue;
            }
            let fields = known_fields(&mut transaction, &mut self.fields, bucket, point).await?;
            if let Some(reason) = conflict(point, &fields) {
                dropped.conflicting(reason);
                continue;
            }
            let series = known_series(&mut transaction, &mut self.series, bucket, point).await?;
            let values = point.fields.iter().zip(&fields);
            rows.extend(values.map(|((_, value), (field, _))| (series, point.time, *field, value)));
        }
        for chunk in rows.chunks(ROWS) {
            insert(&mut transaction, chunk).await?;
        }
        transaction.commit().await?;
        dropped.into_result()
    }

    async fn bucket(&mut self, name: &str) -> Result<i64, Failure> {
        if let Some(id) = self.buckets.get(name) {
            return Ok(*id);
        }
        let found = sqlx::query_scalar("SELECT id FROM bucket WHERE name = ?")
            .bind(name)
            .fetch_optional(&mut self.connection)
            .await?;
        let id = found.ok_or(Failure::NoBucket)?;
        self.buckets.insert(name.to_owned(), id);
        Ok(id)
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.options.clock.now_nanos())
    }

    fn oldest(&self) -> Option<Timestamp> {
        Some(self.now().minus(self.options.retention?))
    }

    /// Deletes what is past the retention, now and then.
    async fn sweep(&mut self) -> Result<(), sqlx::Error> {
        let Some(oldest) = self.oldest().filter(|_| self.now() >= self.next_sweep) else {
            return Ok(());
        };
        self.next_sweep = self.now().plus(SWEEP);
        let mut transaction = self.connection.begin().await?;
        let all: Vec<i64> = sqlx::query_scalar("SELECT id FROM series")
            .fetch_all(&mut *transaction)
            .await?;
        let mut deleted = 0;
        for series in all {
            deleted += sqlx::query("DELETE FROM value WHERE series = ? AND time < ?")
                .bind(series)
                .bind(oldest.as_nanos())
                .execute(&mut *transaction)
                .await?
                .rows_affected();
        }
        transaction.commit().await?;
        if deleted > 0 {
            tracing::info!(values = deleted, "values past the retention deleted");
        }
        Ok(())
    }
}

/// Points left out, in InfluxDB's words.
#[derive(Default)]
struct Dropped {
    points: usize,
    first: Option<String>,
}

impl Dropped {
    fn expired(&mut self, point: &NewPoint) {
        self.points += 1;
        self.first
            .get_or_insert_with(|| format!("points beyond retention policy, at {}", point.time));
    }

    fn conflicting(&mut self, reason: String) {
        self.points += 1;
        self.first.get_or_insert(reason);
    }

    fn into_result(self) -> Result<(), Failure> {
        match self.first {
            None => Ok(()),
            Some(first) => Err(Failure::Dropped {
                reason: format!("partial write: {first} dropped={}", self.points),
            }),
        }
    }
}

fn conflict(point: &NewPoint, fields: &[(i64, String)]) -> Option<String> {
    let mut pairs = point.fields.iter().zip(fields);
    let ((name, value), (_, kept)) =
        pairs.find(|((_, value), (_, kept))| value.type_name() != kept)?;
    Some(format!(
        "field type conflict: input field \"{name}\" on measurement \"{}\" is type {}, already \
         exists as type {kept}",
        point.measurement,
        value.type_name()
    ))
}

async fn known_series(
    connection: &mut SqliteConnection,
    known: &mut HashMap<Name, i64>,
    bucket: i64,
    point: &NewPoint,
) -> Result<i64, sqlx::Error> {
    let name = (bucket, point.measurement.clone(), point.tags.clone());
    if let Some(id) = known.get(&name) {
        return Ok(*id);
    }
    let id = sqlx::query_scalar(
        "INSERT INTO series (bucket, measurement, tags) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET bucket = bucket RETURNING id",
    )
    .bind(bucket)
    .bind(&point.measurement)
    .bind(&point.tags)
    .fetch_one(connection)
    .await?;
    known.insert(name, id);
    Ok(id)
}

/// Id and type of each of the point's fields; the first point that has a field decides its type.
async fn known_fields(
    connection: &mut SqliteConnection,
    known: &mut HashMap<Name, (i64, String)>,
    bucket: i64,
    point: &NewPoint,
) -> Result<Vec<(i64, String)>, sqlx::Error> {
    let mut fields = Vec::with_capacity(point.fields.len());
    for (field, value) in &point.fields {
        let name = (bucket, point.measurement.clone(), field.clone());
        if let Some(found) = known.get(&name) {
            fields.push(found.clone());
            continue;
        }
        let found: (i64, String) = sqlx::query_as(
            "INSERT INTO field (bucket, measurement, name, type) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET type = type RETURNING id, type",
        )
        .bind(bucket)
        .bind(&point.measurement)
        .bind(field)
        .bind(value.type_name())
        .fetch_one(&mut *connection)
        .await?;
        known.insert(name, found.clone());
        fields.push(found);
    }
    Ok(fields)
}

async fn insert(connection: &mut SqliteConnection, rows: &[Row<'_>]) -> Result<(), sqlx::Error> {
    let mut query: QueryBuilder<Sqlite> =
        QueryBuilder::new("INSERT OR REPLACE INTO value (series, time, field, value) ");
    query.push_values(rows, |mut tuple, (series, time, field, value)| {
        tuple.push_bind(*series).push_bind(*time).push_bind(*field);
        match value {
            FieldValue::Float(float) => tuple.push_bind(*float),
            FieldValue::Integer(integer) => tuple.push_bind(*integer),
            // SQLite has no unsigned integers: the bits are kept, and the field's type tells.
            FieldValue::Unsigned(unsigned) => tuple.push_bind(unsigned.cast_signed()),
            FieldValue::Boolean(boolean) => tuple.push_bind(i64::from(*boolean)),
            FieldValue::Text(text) => tuple.push_bind(text.clone()),
        };
    });
    query
        .build()
        .persistent(rows.len() == ROWS)
        .execute(connection)
        .await?;
    Ok(())
}
