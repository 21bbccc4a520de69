//! What a test of a template sends: phrases as lines of points.

use super::given::{Phase, What, length, parse};
use super::plan::spans;
use super::template_test::{FIELD, START, is_silence};
use model::{Span, Timestamp};
use schemas::catalogue::{Given, GivenSeries, Template};

/// A field of a series and its phrases.
#[derive(Debug)]
struct Track {
    /// Measurement and tags.
    series: String,
    /// What names it in a timeline; nothing where there is only the check.
    name: String,
    field: String,
    phases: Vec<Phase>,
}

/// All tracks of a test.
#[derive(Debug)]
pub(super) struct Script {
    tracks: Vec<Track>,
    /// Another series of the host, which proves that it lives.
    beat: String,
}

impl Script {
    /// Reads the phrases.
    pub(super) fn read(template: &Template, given: &Given) -> Result<Self, String> {
        let (own, beat) = series(template);
        let tracks = match given {
            Given::Check(phrases) => vec![Track {
                series: own,
                name: String::new(),
                field: FIELD.to_owned(),
                phases: parse(phrases)?,
            }],
            Given::Series(all) => {
                let mut tracks = Vec::new();
                for each in all {
                    tracks.extend(tracks_of(each, &own)?);
                }
                tracks
            }
        };
        Ok(Self { tracks, beat })
    }

    /// How long it takes.
    pub(super) fn length(&self) -> Span {
        let lengths = self.tracks.iter().map(|track| length(&track.phases));
        lengths.max().unwrap_or(Span::ZERO)
    }

    /// The phrases and what they are of.
    pub(super) fn named(&self) -> impl Iterator<Item = (&str, &[Phase])> {
        self.tracks
            .iter()
            .map(|track| (track.name.as_str(), track.phases.as_slice()))
    }

    /// Lines of each time, one a series every `interval`, the first one interval after the start.
    /// In a gap another series of the host goes on; in silence nothing does.
    pub(super) fn points(&self, template: &Template) -> Vec<(Timestamp, String)> {
        let interval = template.interval();
        let silent = is_silence(template);
        let beat = |at: Timestamp| format!("{} {FIELD}=1 {}\n", self.beat, at.as_nanos());
        // The host is known from the start on.
        let mut points = vec![(START, beat(START))];
        let end = START.plus(self.length());
        let mut at = START.plus(interval);
        while at <= end {
            let mut quiet = true;
            let mut lines: Vec<(&str, String)> = Vec::new();
            for track in &self.tracks {
                let Some((what, into, span)) = track.at(at) else {
                    quiet = false;
                    continue;
                };
                quiet &= what == What::Silence;
                let Some(value) = what.value(into, span) else {
                    continue;
                };
                let field = format!("{}={value:?}", escape(&track.field, &TAG));
                match lines.iter_mut().find(|(series, _)| *series == track.series) {
                    Some((_, fields)) => fields.push_str(&format!(",{field}")),
                    None => lines.push((&track.series, field)),
                }
            }
            // A rule of silence hears any point.
            let mut text = String::new();
            if lines.is_empty() && !quiet && !silent {
                text.push_str(&beat(at));
            }
            for (series, fields) in lines {
                text.push_str(&format!("{series} {fields} {}\n", at.as_nanos()));
            }
            if !text.is_empty() {
                points.push((at, text));
            }
            at = at.plus(interval);
        }
        points
    }
}

impl Track {
    /// The phrase that covers (begin, end] around `at`, how far it is in, and its length.
    fn at(&self, at: Timestamp) -> Option<(What, Span, Span)> {
        let mut begin = START;
        for phase in &self.phases {
            let end = begin.plus(phase.span);
            if at > begin && at <= end {
                return Some((phase.what, at.since(begin), phase.span));
            }
            begin = end;
        }
        None
    }
}

fn tracks_of(given: &GivenSeries, own: &str) -> Result<Vec<Track>, String> {
    let series = match &given.series {
        None => own.to_owned(),
        Some(named) => {
            let mut series = named.clone();
            for (key, value) in [("host", "test"), ("env", "prod")] {
                if !named.contains(&format!(",{key}=")) {
                    series.push_str(&format!(",{key}={value}"));
                }
            }
            check(&series)?;
            series
        }
    };
    let named = given.series.iter().map(|name| format!("{name} "));
    let prefix: String = named.collect();
    let track = |(field, phrases): (&String, &String)| {
        Ok(Track {
            series: series.clone(),
            name: format!("{prefix}{field} "),
            field: field.clone(),
            phases: parse(phrases)?,
        })
    };
    given.fields.iter().map(track).collect()
}

/// A series must be line protocol.
fn check(series: &str) -> Result<(), String> {
    let line = format!("{series} {FIELD}=1 0");
    match schemas::line::scan(line.as_bytes()).next() {
        Some(Ok(_)) => Ok(()),
        Some(Err(rejected)) => Err(format!("`{series}` is no series: {}", rejected.reason)),
        None => Err(format!("`{series}` is no series")),
    }
}

/// The series of the group under test, and another one of its host that proves that the host lives.
fn series(template: &Template) -> (String, String) {
    let applies_to = template.applies_to.as_ref();
    let name = applies_to.map_or("any", |to| to.measurement.as_str());
    let mut tags: Vec<(&str, &str)> = vec![("env", "prod")];
    for (key, values) in applies_to.iter().flat_map(|to| &to.where_) {
        tags.retain(|(known, _)| known != key);
        tags.extend(
            values
                .values()
                .first()
                .map(|value| (key.as_str(), value.as_str())),
        );
    }
    let mut group = template.group_tags();
    if spans(template) {
        group.push("host".to_owned());
    }
    for key in &group {
        if tags.iter().all(|(known, _)| known != key) {
            tags.push((key, "test"));
        }
    }
    let host = tags
        .iter()
        .find(|(key, _)| *key == "host")
        .map_or("test", |(_, host)| host);
    let mut series = escape(name, &[',', ' ']);
    for (key, value) in &tags {
        series.push_str(&format!(",{}={}", escape(key, &TAG), escape(value, &TAG)));
    }
    (
        series,
        format!("bongsu_test_beat,host={}", escape(host, &TAG)),
    )
}

/// What is escaped in tags.
const TAG: [char; 3] = [',', ' ', '='];

fn escape(text: &str, special: &[char]) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if special.contains(&c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::catalogue::{Entry, parse_yaml};

    fn template(rest: &str) -> Template {
        let yaml = format!(
            "template: t\ntitle: t\none_alert_per: [host]\nlevels: {{P1: {{above: 1}}}}\n\
             interval: 60s\n{rest}"
        );
        match parse_yaml("t.yaml", &yaml).unwrap().pop().unwrap().value {
            Entry::Template(template) => *template,
            other => panic!("{other:?}"),
        }
    }

    const OF_POINTS: &str = "applies_to: {measurement: m}\ncheck: a\nover: last of 1m\n";
    const OF_SILENCE: &str = "applies_to: {measurement: any}\ncheck: time_since_last_point\n";

    /// What is sent, each line with its minute instead of its time.
    fn sent(template: &Template, given: &Given) -> Result<String, String> {
        let points = Script::read(template, given)?.points(template);
        let lines = points.iter().map(|(at, lines)| {
            let minute = at.since(START).as_millis() / 60_000;
            lines.replace(&at.as_nanos().to_string(), &format!("+{minute}"))
        });
        Ok(lines.collect())
    }

    fn of_check(text: &str) -> Given {
        Given::Check(text.to_owned())
    }

    /// Phrases by field.
    type Phrases<'a> = &'a [(&'a str, &'a str)];

    fn of_series(all: &[(Option<&str>, Phrases<'_>)]) -> Given {
        let owned = |text: &str| text.to_owned();
        let each = all.iter().map(|(series, fields)| GivenSeries {
            series: series.map(owned),
            fields: fields.iter().map(|(k, v)| (owned(k), owned(v))).collect(),
        });
        Given::Series(each.collect())
    }

    #[test]
    fn in_a_gap_the_host_reports_and_in_silence_nothing_does() {
        let beat = "bongsu_test_beat,host=test value=1";
        for (rest, given, expected) in [
            (
                OF_POINTS,
                "5 for 1m, then gap 1m, then silence 1m, then 7 for 1m",
                format!(
                    "{beat} +0\nm,env=prod,host=test value=5.0 +1\n{beat} +2\n\
                     m,env=prod,host=test value=7.0 +4\n"
                ),
            ),
            // A rule of silence hears any point, so that a gap is no sign of life.
            (
                OF_SILENCE,
                "5 for 1m, then gap 1m, then silence 1m",
                format!("{beat} +0\nany,env=prod,host=test value=5.0 +1\n"),
            ),
        ] {
            assert_eq!(
                sent(&template(rest), &of_check(given)),
                Ok(expected),
                "{given}"
            );
        }
    }

    #[test]
    fn fields_of_one_series_are_one_line_and_what_lacks_a_host_or_an_env_is_given_one() {
        let given = of_series(&[
            (
                None,
                &[
                    ("a", "1 for 1m, then gap 1m"),
                    ("b", "2 for 1m, then silence 1m"),
                ],
            ),
            (Some("n,host=db"), &[("c", "3 for 1m")]),
            (Some("n,env=dev"), &[("c", "4 for 1m")]),
        ]);
        // In the second minute one field is silent and the other is not: the host lives.
        let expected = "bongsu_test_beat,host=test value=1 +0\n\
                        m,env=prod,host=test a=1.0,b=2.0 +1\n\
                        n,host=db,env=prod c=3.0 +1\n\
                        n,env=dev,host=test c=4.0 +1\n\
                        bongsu_test_beat,host=test value=1 +2\n";
        assert_eq!(sent(&template(OF_POINTS), &given).as_deref(), Ok(expected));
    }

    #[test]
    fn the_series_under_test_has_the_tags_that_the_template_asks_for() {
        let rest = "applies_to: {measurement: m, where: {env: stg, host: [db, web]}}\n\
                    check: a\nover: last of 1m\n";
        let expected = "bongsu_test_beat,host=db value=1 +0\nm,env=stg,host=db value=1.0 +1\n";
        let found = sent(&template(rest), &of_check("1 for 1m"));
        assert_eq!(found.as_deref(), Ok(expected));
    }

    #[test]
    fn what_is_no_series_is_refused() {
        let given = of_series(&[(Some("m,=x"), &[("a", "1 for 1m")])]);
        let error = sent(&template(OF_POINTS), &given).unwrap_err();
        assert!(
            error.starts_with("`m,=x,host=test,env=prod` is no series: "),
            "{error}"
        );
    }
}
