//! What every shard must do, embedded or real: the same cases over both.
//!
//! The caller brings a shard and buckets' names that nobody else uses. A case panics when it does
//! not hold.

use crate::{FieldValue, InfluxError, Point, Retry, Shard, WriteVerdict};
use model::{Span, Timestamp};

/// Long enough ago to be settled, near enough for any retention.
const AGE: Span = Span::from_secs(600);

/// Runs every case that a shard with a right to make buckets must pass. `now` is the present, and
/// `prefix` begins the names of the buckets.
pub async fn all(shard: &Shard, prefix: &str, now: Timestamp) {
    let case = |name: &str| Case {
        shard: shard.clone(),
        bucket: format!("{prefix}-{name}"),
        at: now.minus(AGE).as_nanos(),
    };
    case("read").what_is_written_is_read_back().await;
    case("overwrite")
        .the_same_timestamp_is_overwritten_by_field()
        .await;
    case("conflict")
        .a_conflicting_line_is_left_out_and_the_rest_stored()
        .await;
    case("bad")
        .a_line_that_does_not_parse_refuses_the_whole_body()
        .await;
    case("missing")
        .a_missing_bucket_is_said_and_can_be_made()
        .await;
    case("count")
        .points_are_counted_by_series_and_instant()
        .await;
    case("names").names_that_need_escapes_come_back().await;
    case("columns")
        .tags_named_as_columns_of_an_answer_come_back()
        .await;
    case("measurements")
        .measurements_of_the_time_asked_for_are_named()
        .await;
}

/// A shard whose token is wrong says so and keeps nothing.
pub async fn unauthorized(shard: &Shard, bucket: &str) {
    let verdict = shard.write(bucket, "m v=1 1".into(), 1).await;
    assert!(
        matches!(
            verdict,
            WriteVerdict::Later {
                why: Retry::Unauthorized,
                ..
            }
        ),
        "{verdict:?}"
    );
}

/// A shard that may not make buckets names the one that is missing.
pub async fn buckets_made_elsewhere(shard: &Shard, bucket: &str) {
    let error = shard.ensure_bucket(bucket, None).await.unwrap_err();
    assert!(matches!(error, InfluxError::NoBucket { .. }), "{error}");
}

struct Case {
    shard: Shard,
    bucket: String,
    at: i64,
}

impl Case {
    async fn what_is_written_is_read_back(&self) {
        self.make_bucket().await;
        let body = format!(
            "cpu,host=web-1,env=prod usage=1.5,n=-2i,u=18446744073709551615u,up=true,s=\"a b\" {}\n\
             cpu,host=web-2 usage=2 {}\nmem,host=web-1 free=1 {}\n",
            self.at,
            self.at + 1,
            self.at
        );
        assert_eq!(self.write(&body, 3).await, WriteVerdict::Stored);
        let points = self.points("cpu").await;
        assert_eq!(points.len(), 2, "{points:?}");
        let first = &points[0];
        assert_eq!(
            first.tags,
            pairs(&[("env", "prod"), ("host", "web-1")]),
            "sorted by key"
        );
        assert_eq!(first.timestamp.as_nanos(), self.at);
        let fields: Vec<_> = first
            .fields
            .iter()
            .map(|(key, value)| (key.as_str(), value))
            .collect();
        assert_eq!(
            fields,
            [
                ("n", &FieldValue::Integer(-2)),
                ("s", &FieldValue::Text("a b".to_owned())),
                ("u", &FieldValue::Unsigned(u64::MAX)),
                ("up", &FieldValue::Boolean(true)),
                ("usage", &FieldValue::Float(1.5)),
            ]
        );
        assert_eq!(points[1].timestamp.as_nanos(), self.at + 1);
    }

    async fn the_same_timestamp_is_overwritten_by_field(&self) {
        self.make_bucket().await;
        for body in [
            format!("m,b=2,a=1 x=1,y=1 {}", self.at),
            format!("m,a=1,b=2 y=2,z=2 {}", self.at),
            format!("m,a=1,b=2 z=3 {0}\nm,a=1,b=2 z=4 {0}", self.at),
        ] {
            assert_eq!(self.write(&body, 1).await, WriteVerdict::Stored);
        }
        let points = self.points("m").await;
        assert_eq!(points.len(), 1, "{points:?}");
        let expected = [("x", 1.0), ("y", 2.0), ("z", 4.0)]
            .map(|(key, value)| (key.to_owned(), FieldValue::Float(value)));
        assert_eq!(points[0].fields, expected);
    }

    async fn a_conflicting_line_is_left_out_and_the_rest_stored(&self) {
        self.make_bucket().await;
        let first = format!("m v=1 {}", self.at);
        assert_eq!(self.write(&first, 1).await, WriteVerdict::Stored);
        let body = format!(
            "m v=2 {}\nm v=\"text\" {}\nm v=3 {}\n",
            self.at + 1,
            self.at + 2,
            self.at + 3
        );
        let verdict = self.write(&body, 3).await;
        let WriteVerdict::Partial { reason } = &verdict else {
            panic!("{verdict:?}");
        };
        assert!(reason.contains("field type conflict"), "{reason}");
        let at: Vec<_> = self
            .points("m")
            .await
            .iter()
            .map(|p| p.timestamp.as_nanos())
            .collect();
        assert_eq!(at, [self.at, self.at + 1, self.at + 3]);
    }

    async fn a_line_that_does_not_parse_refuses_the_whole_body(&self) {
        self.make_bucket().await;
        let body = format!("m v=1 {}\nno line at all\nm v=2 {}\n", self.at, self.at + 1);
        let verdict = self.write(&body, 3).await;
        assert!(
            matches!(verdict, WriteVerdict::Rejected { .. }),
            "{verdict:?}"
        );
        assert_eq!(self.points("m").await, []);
    }

    async fn a_missing_bucket_is_said_and_can_be_made(&self) {
        let body = format!("m v=1 {}", self.at);
        let verdict = self.write(&body, 1).await;
        assert!(
            matches!(verdict, WriteVerdict::NoBucket { .. }),
            "{verdict:?}"
        );
        self.make_bucket().await;
        self.make_bucket().await;
        assert_eq!(self.write(&body, 1).await, WriteVerdict::Stored);
    }

    async fn points_are_counted_by_series_and_instant(&self) {
        self.make_bucket().await;
        assert_eq!(self.count(0, 10).await, 0, "nothing was written");
        let mut body = String::new();
        for n in 0..10 {
            body.push_str(&format!("m,host=a x=1,y=2i,s=\"t\" {}\n", self.at + n));
            body.push_str(&format!("n,host=a x=true {}\n", self.at + n));
        }
        assert_eq!(self.write(&body, 20).await, WriteVerdict::Stored);
        assert_eq!(
            self.write(&body, 20).await,
            WriteVerdict::Stored,
            "repeats do no harm"
        );
        assert_eq!(self.count(0, 10).await, 20);
        assert_eq!(self.count(2, 5).await, 6, "the end is not counted");
    }

    async fn names_that_need_escapes_come_back(&self) {
        self.make_bucket().await;
        let body = format!(
            "디스크\\ io,path=C:\\ D,k\\=1=v\\,2 사용\\ 률=1 {}",
            self.at
        );
        assert_eq!(self.write(&body, 1).await, WriteVerdict::Stored);
        let points = self.points("디스크 io").await;
        assert_eq!(points.len(), 1, "{points:?}");
        assert_eq!(points[0].tags, pairs(&[("k=1", "v,2"), ("path", "C: D")]));
        assert_eq!(points[0].fields[0].0, "사용 률");
    }

    async fn tags_named_as_columns_of_an_answer_come_back(&self) {
        self.make_bucket().await;
        let line =
            |result: &str, at: i64| format!("http,result={result},table=orders code=200i {at}\n");
        let body = line("success", self.at) + &line("timeout", self.at);
        assert_eq!(self.write(&body, 2).await, WriteVerdict::Stored);
        let points = self.points("http").await;
        let tags: Vec<_> = points.iter().map(|point| point.tags.clone()).collect();
        let of = |result| pairs(&[("result", result), ("table", "orders")]);
        assert_eq!(tags, [of("success"), of("timeout")]);
    }

    async fn measurements_of_the_time_asked_for_are_named(&self) {
        self.make_bucket().await;
        let names = |from, to| {
            let (from, to) = self.range(from, to);
            self.shard.measurements(&self.bucket, from, to)
        };
        assert_eq!(names(0, 10).await.unwrap(), Vec::<String>::new());
        let hour = 3_600_000_000_000;
        let body = format!(
            "b,k=v x=1 {at}\na\\ b x=1,y=2 {at}\nlater x=1 {}\n",
            self.at + 2 * hour,
            at = self.at
        );
        assert_eq!(self.write(&body, 3).await, WriteVerdict::Stored);
        let mut found = names(0, hour).await.unwrap();
        // A real one knows that by index, and an index spans a day or more.
        found.retain(|name| name != "later");
        assert_eq!(found, ["a b", "b"]);
    }

    async fn make_bucket(&self) {
        self.shard.ensure_bucket(&self.bucket, None).await.unwrap();
    }

    async fn write(&self, body: &str, lines: usize) -> WriteVerdict {
        let body = body.to_owned();
        self.shard.write(&self.bucket, body.into(), lines).await
    }

    async fn points(&self, measurement: &str) -> Vec<Point> {
        let (from, to) = self.range(-10, 100);
        self.shard
            .points(&self.bucket, measurement, from, to)
            .await
            .unwrap()
    }

    async fn count(&self, from: i64, to: i64) -> u64 {
        let (from, to) = self.range(from, to);
        self.shard.count(&self.bucket, from, to).await.unwrap()
    }

    fn range(&self, from: i64, to: i64) -> (Timestamp, Timestamp) {
        (
            Timestamp::from_nanos(self.at + from),
            Timestamp::from_nanos(self.at + to),
        )
    }
}

fn pairs(tags: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    tags.iter().map(own).collect()
}
