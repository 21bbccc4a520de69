//! A new name and password for a client that lives: no safe call of `rdkafka` reaches it.

use rdkafka::ClientContext;
use rdkafka::bindings as native;
use rdkafka::client::Client;
use std::ffi::{CStr, CString};

/// Takes effect at the client's next login; connections that stand stay as they are.
///
/// # Errors
/// What librdkafka says: the client has no SASL mechanism with a password.
pub fn set_credentials<C: ClientContext>(
    client: &Client<C>,
    name: &str,
    password: &str,
) -> Result<(), String> {
    let text = |text: &str| CString::new(text).map_err(|_| "it holds a NUL".to_owned());
    let (name, password) = (text(name)?, text(password)?);
    // SAFETY: the client is alive, and both texts end with a NUL for the time of the call, which copies them.
    let error = unsafe {
        native::rd_kafka_sasl_set_credentials(client.native_ptr(), name.as_ptr(), password.as_ptr())
    };
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: a living error of librdkafka; its text lives as long as it does.
    let reason = unsafe { native::rd_kafka_error_string(error) };
    // SAFETY: librdkafka hands out a text that ends with a NUL.
    let reason = unsafe { CStr::from_ptr(reason) };
    let reason = reason.to_string_lossy().into_owned();
    // SAFETY: the error is this call's own, and is given back once.
    unsafe { native::rd_kafka_error_destroy(error) };
    Err(reason)
}
