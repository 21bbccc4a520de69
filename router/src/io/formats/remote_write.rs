//! Prometheus remote write. Which version a request speaks is in its `Content-Type`.
//!
//! A sample that is NaN is Prometheus' "nothing was observed" (a summary's quantile without observations) and comes
//! with every scrape. It is rejected and named, but the answer stays 200 and counts it as dealt with, as it does
//! stale markers: at a 4xx Prometheus gives the whole request up, and at a lower count it calls for an
//! investigation with every scrape.

use super::super::answer::Refusal;
use super::super::http::Shared;
use super::super::parameters::Parameters;
use super::Outcome;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use schemas::packing::Packing;
use schemas::points::{Decoded, Undecodable};
use schemas::remote_write::{Naming, decode_v1, decode_v2};

/// How many samples were dealt with, as version 2.0 wants it said; a sender of 1.0 that saw it would expect all of 2.0.
/// Histograms and exemplars are never taken.
const SAMPLES: &str = "x-prometheus-remote-write-samples-written";
const NONE: [&str; 2] = [
    "x-prometheus-remote-write-histograms-written",
    "x-prometheus-remote-write-exemplars-written",
];

type Reader = fn(&[u8], Naming, usize, &mut Vec<u8>) -> Result<Decoded, Undecodable>;

pub(super) async fn write(
    State(shared): State<Shared>,
    parameters: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let understood = reader(&headers).and_then(|reader| Ok((reader, naming(&parameters)?)));
    let ((reader, counted), naming) = match understood {
        Ok(understood) => understood,
        Err(refusal) => {
            let refusal = shared.refusal(&parameters, &headers, refusal);
            return respond(Err(refusal), true);
        }
    };
    let decode = move |text: &[u8], most, out: &mut Vec<u8>| reader(text, naming, most, out);
    let request = (&parameters, &headers, body);
    let respond = |outcome| respond(outcome, counted);
    super::answer(&shared, request, Packing::Snappy, &decode, respond).await
}

/// The reader of what the request says that it is, and whether its sender wants a count.
fn reader(headers: &HeaderMap) -> Result<(Reader, bool), Refusal> {
    let Some((said, kind)) = super::content_type(headers) else {
        return Ok((decode_v1, false));
    };
    let protobuf = kind.eq_ignore_ascii_case("application/x-protobuf");
    let mut parameters = said.split(';').skip(1).map(str::trim);
    let message = parameters.find_map(|part| part.strip_prefix("proto="));
    match message {
        _ if !protobuf => {}
        None | Some("prometheus.WriteRequest") => return Ok((decode_v1, false)),
        Some("io.prometheus.write.v2.Request") => return Ok((decode_v2, true)),
        Some(_) => {}
    }
    let said: String = said.chars().take(100).collect();
    Err(Refusal::Encoding(format!(
        "content type `{said}` is not understood: send application/x-protobuf with proto=prometheus.WriteRequest or \
         proto=io.prometheus.write.v2.Request"
    )))
}

fn naming(parameters: &Parameters) -> Result<Naming, Refusal> {
    match parameters.metric_version.as_str() {
        "" | "1" => Ok(Naming::PerMetric),
        "2" => Ok(Naming::OneMeasurement),
        other => {
            let other: String = other.chars().take(20).collect();
            Err(Refusal::Invalid(format!(
                "metric_version `{other}` is not known: 1 makes a measurement of each metric, 2 one of all"
            )))
        }
    }
}

fn respond(outcome: Result<Outcome, Refusal>, counted: bool) -> Response {
    let (mut response, dealt_with) = match &outcome {
        Ok(outcome) => match outcome.partial() {
            None => (StatusCode::NO_CONTENT.into_response(), outcome.dealt_with()),
            Some(partial) if outcome.only_nan => {
                let all = outcome.dealt_with() + outcome.rejected;
                ((StatusCode::OK, partial).into_response(), all)
            }
            Some(partial) => {
                let response = (StatusCode::BAD_REQUEST, partial).into_response();
                (response, outcome.dealt_with())
            }
        },
        Err(refusal) => (refusal.plain_response(), 0),
    };
    if counted {
        let headers = response.headers_mut();
        headers.insert(SAMPLES, HeaderValue::from(dealt_with));
        for none in NONE {
            headers.insert(none, HeaderValue::from_static("0"));
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_names_the_version() {
        for (said, counted) in [
            (None, Some(false)),
            (Some("application/x-protobuf"), Some(false)),
            (
                Some("application/x-protobuf;proto=prometheus.WriteRequest"),
                Some(false),
            ),
            (
                Some("Application/X-Protobuf; proto=io.prometheus.write.v2.Request"),
                Some(true),
            ),
            (Some("application/x-protobuf;proto=other"), None),
            (Some("application/json"), None),
        ] {
            let header = said.map(|said| (axum::http::header::CONTENT_TYPE, said.parse().unwrap()));
            let found = reader(&header.into_iter().collect()).ok();
            assert_eq!(found.map(|(_, counted)| counted), counted, "{said:?}");
        }
    }
}
