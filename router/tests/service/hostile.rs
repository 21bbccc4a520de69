//! Lines that no store holds.

use super::support::world;
use reqwest::StatusCode;
use router::Config;

#[tokio::test]
async fn what_no_store_holds_is_named_and_changes_no_other_line() {
    let world = world(Config::default()).await;
    let bad: [&[u8]; 9] = [
        b"m,host=\xff v=1 1",
        b"m,host=a\0 v=1 1",
        b"m v=NaN 1",
        b"m v=inf 1",
        b"m v=-Infinity 1",
        b"m v=9223372036854775808i 1",
        b"m v=1e999 1",
        b"m v=1 9223372036854775808",
        b"m v=1 1 1",
    ];
    let mut body = b"m,host=a v=1 1\n".to_vec();
    for line in bad {
        body.extend_from_slice(line);
        body.extend_from_slice(b"\nm,host=a v=2 2\n");
    }
    let answer = world.write("/api/v2/write", body).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let said = answer.text().await.unwrap();
    for number in 1..=bad.len() {
        assert!(
            said.contains(&format!("line {}: ", number * 2)),
            "{number}: {said}"
        );
    }
    assert_eq!(world.lines().await.len(), 1 + bad.len());
}
