//! The HTTP client of the harness.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Result;

/// A client that gives up instead of hanging a test. Not shared between tests: the connections of a
/// client belong to the runtime of the test that made it.
///
/// # Panics
/// When it cannot be built.
pub fn client() -> reqwest::Client {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        // An error means that one is installed already, which is as good.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
    });
    reqwest::Client::builder()
        .timeout(Duration::from_secs(20))
        .connect_timeout(Duration::from_secs(3))
        .no_proxy()
        .build()
        .expect("an HTTP client can be built")
}

/// The sum over all labels of a metric of the service with that base URL, or over those whose text holds `labels`, such as
/// `tenant="a"`.
///
/// # Errors
/// When it does not answer.
pub async fn metric(base: &str, name: &str, labels: &str) -> Result<f64> {
    let answer = client().get(format!("{base}/metrics")).send().await?;
    let text = answer.error_for_status()?.text().await?;
    let of_metric = text.lines().filter_map(|line| line.strip_prefix(name));
    let values = of_metric
        .filter(|rest| rest.starts_with([' ', '{']) && rest.contains(labels))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok());
    Ok(values.sum())
}
