//! The HTTP client of the harness.

use std::sync::OnceLock;
use std::time::Duration;

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
