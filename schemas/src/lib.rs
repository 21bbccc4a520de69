//! Every format that goes on a wire or stands in a file: line protocol, alert events, the
//! catalogue.
//!
//! Nothing here does I/O. A format's types are converted from and to the words of `model`.

pub mod alert;
pub mod catalogue;
pub mod line;
pub mod metrics_avro;
pub mod metrics_json;
pub mod otlp;
pub mod packing;
pub mod points;
pub mod remote_write;
