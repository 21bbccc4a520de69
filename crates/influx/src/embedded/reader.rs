//! Reads of the embedded store.

use crate::{FieldValue, Point};
use model::Timestamp;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Error, Row as _};

pub(super) async fn count(
    pool: &SqlitePool,
    bucket: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<u64, Error> {
    let points: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (
             SELECT DISTINCT v.series, v.time FROM bucket b
             JOIN series s ON s.bucket = b.id
             JOIN value v ON v.series = s.id AND v.time >= ? AND v.time < ?
             WHERE b.name = ?)",
    )
    .bind(from.as_nanos())
    .bind(to.as_nanos())
    .bind(bucket)
    .fetch_one(pool)
    .await?;
    Ok(points.unsigned_abs())
}

pub(super) async fn measurements(
    pool: &SqlitePool,
    bucket: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<String>, Error> {
    sqlx::query_scalar(
        "SELECT DISTINCT s.measurement FROM bucket b
         JOIN series s ON s.bucket = b.id
         JOIN value v ON v.series = s.id AND v.time >= ? AND v.time < ?
         WHERE b.name = ? ORDER BY s.measurement",
    )
    .bind(from.as_nanos())
    .bind(to.as_nanos())
    .bind(bucket)
    .fetch_all(pool)
    .await
}

pub(super) async fn points(
    pool: &SqlitePool,
    bucket: &str,
    measurement: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Point>, Error> {
    let rows = sqlx::query(
        "SELECT s.tags, v.time, f.name, f.type, v.value FROM bucket b
         JOIN series s ON s.bucket = b.id
         JOIN value v ON v.series = s.id AND v.time >= ? AND v.time < ?
         JOIN field f ON f.id = v.field
         WHERE b.name = ? AND s.measurement = ?
         ORDER BY s.tags, v.time, f.name",
    )
    .bind(from.as_nanos())
    .bind(to.as_nanos())
    .bind(bucket)
    .bind(measurement)
    .fetch_all(pool)
    .await?;
    let mut points: Vec<Point> = Vec::new();
    let mut series = String::new();
    for row in rows {
        let tags: String = row.try_get(0)?;
        let timestamp = Timestamp::from_nanos(row.try_get(1)?);
        let field = (row.try_get(2)?, value(&row)?);
        match points.last_mut() {
            Some(point) if point.timestamp == timestamp && series == tags => {
                point.fields.push(field);
            }
            _ => points.push(Point {
                measurement: measurement.to_owned(),
                tags: serde_json::from_str(&tags).map_err(|error| Error::Decode(error.into()))?,
                fields: vec![field],
                timestamp,
            }),
        }
        series = tags;
    }
    Ok(points)
}

fn value(row: &SqliteRow) -> Result<FieldValue, Error> {
    let kind: &str = row.try_get(3)?;
    Ok(match kind {
        "float" => FieldValue::Float(row.try_get(4)?),
        "integer" => FieldValue::Integer(row.try_get(4)?),
        "unsigned" => FieldValue::Unsigned(row.try_get::<i64, _>(4)?.cast_unsigned()),
        "boolean" => FieldValue::Boolean(row.try_get::<i64, _>(4)? != 0),
        "string" => FieldValue::Text(row.try_get(4)?),
        other => {
            return Err(Error::Decode(
                format!("a field has the unknown type `{other}`").into(),
            ));
        }
    })
}
