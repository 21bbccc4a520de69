//! Messages as librdkafka lends them.

use rdkafka::bindings as native;
use rdkafka::error::RDKafkaErrorCode;
use std::ffi::{CStr, c_char, c_void};
use std::ptr::null;

/// What comes out of a queue.
pub enum Polled<'a> {
    /// Messages of one partition.
    Run(Run<'a>),
    /// An error instead of a message.
    Failed(RDKafkaErrorCode),
}

/// Messages of one partition, in the order of their offsets.
pub struct Run<'a> {
    /// Their topic.
    pub topic: &'a str,
    /// Their partition.
    pub partition: i32,
    messages: &'a [*mut native::rd_kafka_message_t],
}

/// One message, borrowed from librdkafka for the time of the call that hands it on.
pub struct Message<'a> {
    message: &'a native::rd_kafka_message_t,
}

pub(crate) fn is_same_source(
    a: &native::rd_kafka_message_t,
    b: &native::rd_kafka_message_t,
) -> bool {
    // Both are alive, so that equal handles are the same topic.
    let failed = |message: &native::rd_kafka_message_t| code(message).is_some();
    a.rkt == b.rkt && a.partition == b.partition && !failed(a) && !failed(b)
}

fn code(message: &native::rd_kafka_message_t) -> Option<RDKafkaErrorCode> {
    let none = native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
    (message.err != none).then(|| message.err.into())
}

/// # Safety
/// `messages` are alive for `'a`, `first` is their first, and all are of its partition.
pub(crate) unsafe fn polled<'a>(
    first: &'a native::rd_kafka_message_t,
    messages: &'a [*mut native::rd_kafka_message_t],
) -> Polled<'a> {
    if let Some(code) = code(first) {
        return Polled::Failed(code);
    }
    // SAFETY: a message without an error has a topic, which lives as long as it.
    let name = unsafe { native::rd_kafka_topic_name(first.rkt) };
    // SAFETY: librdkafka ends the name with a NUL and keeps it as long as the topic.
    let name = unsafe { CStr::from_ptr(name) };
    match name.to_str() {
        Ok(topic) => Polled::Run(Run {
            topic,
            partition: first.partition,
            messages,
        }),
        // Kafka's names are ASCII.
        Err(_) => Polled::Failed(RDKafkaErrorCode::InvalidTopic),
    }
}

impl<'a> Run<'a> {
    /// The messages.
    pub fn messages(&self) -> impl ExactSizeIterator<Item = Message<'a>> + use<'a> {
        self.messages.iter().map(|message| Message {
            // SAFETY: `polled` was promised that the messages live for `'a`.
            message: unsafe { &**message },
        })
    }
}

/// # Safety
/// `bytes` is null or points at `length` bytes that live for `'a`.
unsafe fn slice<'a>(bytes: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: as promised; without a byte nothing is read.
    (!bytes.is_null()).then(|| unsafe { std::slice::from_raw_parts(bytes.cast(), length) })
}

impl<'a> Message<'a> {
    /// Its offset.
    pub fn offset(&self) -> i64 {
        self.message.offset
    }

    /// Its key.
    pub fn key(&self) -> Option<&'a [u8]> {
        // SAFETY: librdkafka's fields say where the key lies, for as long as the message does.
        unsafe { slice(self.message.key, self.message.key_len) }
    }

    /// Its value; none for a tombstone.
    pub fn value(&self) -> Option<&'a [u8]> {
        // SAFETY: as for the key.
        unsafe { slice(self.message.payload, self.message.len) }
    }

    /// How many bytes its value has.
    pub fn value_len(&self) -> usize {
        self.message.len
    }

    /// The log's time of it in milliseconds since 1970, where it says one.
    pub fn timestamp_millis(&self) -> Option<i64> {
        let mut kind = native::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive, and `kind` a place for the answer.
        let millis = unsafe { native::rd_kafka_message_timestamp(self.message, &raw mut kind) };
        let none = native::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        (kind != none && millis >= 0).then_some(millis)
    }

    /// Its headers in their order, copied; most messages have none.
    pub fn headers(&self) -> Vec<(String, Vec<u8>)> {
        let mut list = std::ptr::null_mut();
        // SAFETY: the message is alive, and keeps the list that is found.
        let found = unsafe { native::rd_kafka_message_headers(self.message, &raw mut list) };
        let mut headers = Vec::new();
        if found != native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR || list.is_null() {
            return headers;
        }
        let (mut name, mut value, mut length) = (null::<c_char>(), null::<c_void>(), 0_usize);
        loop {
            // SAFETY: the list is alive, and the places take one header.
            let found = unsafe {
                native::rd_kafka_header_get_all(
                    list,
                    headers.len(),
                    &raw mut name,
                    &raw mut value,
                    &raw mut length,
                )
            };
            if found != native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() {
                return headers;
            }
            // SAFETY: librdkafka ends a header's name with a NUL.
            let key = unsafe { CStr::from_ptr(name) };
            // SAFETY: the value has so many bytes, for as long as the list.
            let bytes = unsafe { slice(value, length) };
            headers.push((
                key.to_string_lossy().into_owned(),
                bytes.unwrap_or_default().to_vec(),
            ));
        }
    }
}
