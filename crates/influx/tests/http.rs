//! The HTTP side, against a server that answers as told.

use influx::{BadLine, Dialect, HttpShard, Payload, Product, Retry, Shard, WriteVerdict};
use runtime::Secret;
use std::io::Read as _;
use std::time::Duration;
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const LINES: &str = "cpu,host=a v=1 1\ncpu,host=b v=2 2\n";

fn config(server: &MockServer) -> HttpShard {
    HttpShard {
        request_timeout: Duration::from_millis(300),
        ..HttpShard::new(server.uri(), "bongsu", Secret::new("t0ken"))
    }
}

async fn answer(response: ResponseTemplate) -> WriteVerdict {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(response)
        .mount(&server)
        .await;
    let shard = Shard::http(&config(&server)).unwrap();
    shard.write("acme", LINES.into(), 2).await
}

#[tokio::test]
async fn a_write_carries_token_bucket_precision_and_gzip() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/api/v2/write"))
        .and(query_param("org", "bongsu"))
        .and(query_param("bucket", "acme"))
        .and(query_param("precision", "ns"))
        .and(header("authorization", "Token t0ken"))
        .and(header("content-encoding", "gzip"))
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    let shard = Shard::http(&config(&server)).unwrap();
    assert_eq!(
        shard.write_payload("acme", &Payload::new(LINES, 2)).await,
        WriteVerdict::Stored
    );
    let requests = server.received_requests().await.unwrap();
    let mut body = String::new();
    flate2::read::GzDecoder::new(&requests.last().unwrap().body[..])
        .read_to_string(&mut body)
        .unwrap();
    assert_eq!(body, LINES);
}

#[tokio::test]
async fn a_wait_that_the_server_asks_for_is_handed_on() {
    let response = ResponseTemplate::new(503).insert_header("Retry-After", "7");
    let verdict = answer(response).await;
    let WriteVerdict::Later { why, after, .. } = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!((why, after), (Retry::Busy, Some(Duration::from_secs(7))));
}

#[tokio::test]
async fn a_server_that_hangs_or_is_gone_is_unreachable() {
    let hanging = answer(ResponseTemplate::new(204).set_delay(Duration::from_secs(60))).await;
    let gone = HttpShard::new("http://127.0.0.1:1", "bongsu", Secret::new("t"));
    let gone = Shard::http(&gone)
        .unwrap()
        .write("acme", LINES.into(), 2)
        .await;
    for verdict in [hanging, gone] {
        let WriteVerdict::Later { why, .. } = verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!(why, Retry::Unreachable);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let response = ResponseTemplate::new(307).insert_header("Location", "http://127.0.0.1:1/");
    let verdict = answer(response).await;
    let WriteVerdict::Later { why, .. } = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(why, Retry::Misconfigured);
}

#[tokio::test]
async fn the_product_is_found_out() {
    let server = MockServer::start().await;
    let response = ResponseTemplate::new(204)
        .insert_header("X-Influxdb-Version", "2.7.12")
        .insert_header("X-Influxdb-Build", "OSS");
    Mock::given(path("/ping"))
        .respond_with(response)
        .mount(&server)
        .await;
    let product = Shard::http(&config(&server)).unwrap().ping().await.unwrap();
    assert_eq!(
        product,
        Product::V2 {
            version: "2.7.12".to_owned()
        }
    );
}

#[tokio::test]
async fn an_answer_that_the_client_library_chokes_on_is_an_error_and_no_panic() {
    let server = MockServer::start().await;
    let body = "#datatype,string,long,double\r\n#group,false,false,false\r\n#default,_result,,\r\n\
                ,result,table,_time\r\n,,0,what\r\n";
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_string(body))
        .mount(&server)
        .await;
    let shard = Shard::http(&config(&server)).unwrap();
    let (from, to) = (
        model::Timestamp::from_nanos(0),
        model::Timestamp::from_nanos(1),
    );
    let error = shard.count("acme", from, to).await.unwrap_err().to_string();
    assert!(error.contains("panicked"), "{error}");
}

/// A server that says at `/ping` that it is of that version.
async fn product(version: &str, build: &str) -> MockServer {
    let server = MockServer::start().await;
    let pong = ResponseTemplate::new(204)
        .insert_header("X-Influxdb-Version", version)
        .insert_header("X-Influxdb-Build", build);
    Mock::given(path("/ping"))
        .respond_with(pong)
        .expect(1)
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn a_version_1_is_written_to_by_database_with_user_and_password() {
    let server = product("1.8.10", "OSS").await;
    Mock::given(method("POST"))
        .and(path("/write"))
        .and(query_param("db", "acme"))
        .and(query_param("precision", "ns"))
        .and(header("authorization", "Basic a2ltOnMzY3JldA=="))
        .respond_with(ResponseTemplate::new(204))
        .expect(2)
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(path("/query"))
        .and(query_param(
            "q",
            "CREATE DATABASE \"acme\" WITH DURATION 604800s",
        ))
        .respond_with(
            ResponseTemplate::new(200).set_body_string("{\"results\":[{\"statement_id\":0}]}"),
        )
        .expect(1)
        .mount(&server)
        .await;
    let shard = Shard::http(&HttpShard {
        token: Secret::new("kim:s3cret"),
        ..config(&server)
    });
    let shard = shard.unwrap();
    for _ in 0..2 {
        let verdict = shard.write("acme", LINES.into(), 2).await;
        assert_eq!(verdict, WriteVerdict::Stored);
    }
    let week = model::Span::from_secs(7 * 24 * 3600);
    shard.ensure_bucket("acme", Some(week)).await.unwrap();
}

#[tokio::test]
async fn a_version_3_gets_the_tenant_as_a_tag_and_its_named_lines_are_those_of_the_body() {
    let server = product("3.4.1", "Core").await;
    let answer = r#"{"error":"partial write of line protocol occurred","data":[
        {"original_line":"cpu,bongsu_tenant=acme v=t 3","line_number":2,
         "error_message":"invalid column type for column 'v', expected iox::column_type::field::float"}]}"#;
    Mock::given(method("POST"))
        .and(path("/api/v3/write_lp"))
        .and(query_param("db", "bongsu"))
        .and(query_param("precision", "nanosecond"))
        .and(query_param("accept_partial", "true"))
        .and(header("authorization", "Bearer t0ken"))
        .respond_with(ResponseTemplate::new(400).set_body_string(answer))
        .expect(1)
        .mount(&server)
        .await;
    let plain = HttpShard {
        gzip: false,
        ..config(&server)
    };
    let shard = Shard::http(&plain).unwrap();
    // The second line is none for version 3's parser and is not sent; the server names the third.
    let body = "cpu,host=a v=1 1\ncpu v= 2\ncpu v=t 3\ncpu v=4 4\n";
    let verdict = shard.write("acme", body.into(), 4).await;
    let WriteVerdict::Named { bad } = verdict else {
        panic!("{verdict:?}");
    };
    let lines: Vec<_> = bad.iter().map(|bad: &BadLine| bad.line).collect();
    assert_eq!(lines, [1, 2]);
    assert!(bad[1].reason.contains("invalid column type"), "{bad:?}");
    let requests = server.received_requests().await.unwrap();
    let sent = requests.iter().find(|request| request.method == "POST");
    assert_eq!(
        String::from_utf8_lossy(&sent.unwrap().body),
        "cpu,bongsu_tenant=acme,host=a v=1 1\n\
         cpu,bongsu_tenant=acme v=true 3\ncpu,bongsu_tenant=acme v=4 4\n"
    );
}

#[tokio::test]
async fn a_version_3_is_not_sent_more_than_it_takes() {
    let server = MockServer::start().await;
    let v3 = HttpShard {
        dialect: Some(Dialect::V3),
        ..config(&server)
    };
    let shard = Shard::http(&v3).unwrap();
    let many = "m v=1 1\n".repeat(10_001);
    let long = format!("m s=\"{}\" 1\n", "x".repeat(11 << 20));
    for (body, lines) in [(many, 10_001), (long, 1)] {
        let verdict = shard.write("acme", body.into(), lines).await;
        assert!(
            matches!(verdict, WriteVerdict::TooLarge { .. }),
            "{verdict:?}"
        );
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

#[test]
fn an_address_that_is_none_is_refused_with_what_is_wrong() {
    for (url, part) in [
        ("influx:8086", "http://"),
        ("http://influx:8086/path", "without a path"),
        ("ftp://influx", "http://"),
        ("", "relative URL"),
    ] {
        let config = HttpShard::new(url, "bongsu", Secret::new("t"));
        let error = Shard::http(&config).unwrap_err().to_string();
        assert!(error.contains(part), "{url}: {error}");
    }
}
