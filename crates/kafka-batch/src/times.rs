//! Offsets of many partitions in one question a broker: `rdkafka` reaches the call for consumers alone.

use rdkafka::bindings as native;
use rdkafka::client::Client;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{ClientContext, TopicPartitionList};
use std::time::Duration;

/// Replaces what stands as offset of each partition by the offset that it means: `Beginning`, `End`, or a time in
/// milliseconds since 1970. Partitions of a topic must stand together. Blocks.
///
/// # Errors
/// When no partition could be asked about, or not all were in time; what concerns one partition stands with it in the
/// list.
pub fn offsets_for_times<C: ClientContext>(
    client: &Client<C>,
    asked: &mut TopicPartitionList,
    within: Duration,
) -> Result<(), RDKafkaErrorCode> {
    let within = i32::try_from(within.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: client and list are alive for the time of the call, and nobody else has the list.
    let said =
        unsafe { native::rd_kafka_offsets_for_times(client.native_ptr(), asked.ptr(), within) };
    match said {
        native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        code => Err(code.into()),
    }
}
