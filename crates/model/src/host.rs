//! Which partition a host's points belong to.

/// FNV-1a, 32 bit, over the host's name.
pub fn hash_host(host: &[u8]) -> u32 {
    host.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// The partition of a host among `partitions` (at least 1).
///
/// It is what Telegraf's `routing_tag` gives (Sarama's hash partitioner: the FNV-1a as a signed number,
/// remainder, sign dropped) and librdkafka's `fnv1a_random` for a key that is not empty.
pub fn host_partition(host: &[u8], partitions: u32) -> u32 {
    let signed = i64::from(hash_host(host) as i32);
    (signed % i64::from(partitions.max(1))).unsigned_abs() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        // From the test vectors of draft-eastlake-fnv, appendix C.
        for (text, hash) in [
            ("", 0x811c_9dc5),
            ("a", 0xe40c_292c),
            ("foobar", 0xbf9c_f968),
        ] {
            assert_eq!(hash_host(text.as_bytes()), hash, "{text}");
        }
    }

    #[test]
    fn every_host_has_one_of_the_partitions() {
        for n in 1..=12 {
            for host in 0..200 {
                assert!(host_partition(format!("web-{host}").as_bytes(), n) < n);
            }
        }
        assert_eq!(host_partition(b"web-1", 0), 0);
    }
}
