//! The one provider of cryptography.

/// Makes ring the process's provider for rustls. Needed once before the first HTTP client, also a plain one;
/// later calls change nothing.
pub fn install_provider() {
    // An error says that a provider is installed already, which is what is wanted.
    drop(rustls::crypto::ring::default_provider().install_default());
}
