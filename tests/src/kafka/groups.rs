//! Who holds what of a group, as the coordinator knows it.

use anyhow::{Context, Result};
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::{ANSWER, Kafka};

impl Kafka {
    /// Topics and partitions of each member of a group.
    ///
    /// # Errors
    /// When the coordinator does not answer, or with something that is no assignment.
    pub fn assignments(&self, group: &str) -> Result<Vec<Vec<(String, i32)>>> {
        let client: BaseConsumer = self.config().set("group.id", "bongsu-tests").create()?;
        let groups = client.fetch_group_list(Some(group), ANSWER)?;
        let group = groups.groups().first().context("no such group")?;
        let members = group.members().iter();
        members
            .map(|member| {
                let bytes = member.assignment().unwrap_or_default();
                read(bytes).context("the assignment is cut")
            })
            .collect()
    }
}

/// The consumer protocol's assignment: `version i16, [topic string, [partition i32]]`
/// (<https://kafka.apache.org/protocol>).
fn read(bytes: &[u8]) -> Option<Vec<(String, i32)>> {
    let mut held = Vec::new();
    if bytes.is_empty() {
        return Some(held);
    }
    let mut rest = bytes.get(2..)?;
    for _ in 0..number(&mut rest)? {
        let length = rest.split_off(..2)?;
        let length = usize::from(u16::from_be_bytes(length.try_into().ok()?));
        let topic = String::from_utf8(rest.split_off(..length)?.to_vec()).ok()?;
        for _ in 0..number(&mut rest)? {
            held.push((topic.clone(), number(&mut rest)?));
        }
    }
    Some(held)
}

fn number(bytes: &mut &[u8]) -> Option<i32> {
    let number = bytes.split_off(..4)?;
    Some(i32::from_be_bytes(number.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn an_assignment_is_read_and_a_cut_one_is_not() {
        let bytes = [
            0, 1, 0, 0, 0, 1, 0, 1, b'm', 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 5, 255, 255, 255, 255,
        ];
        let held = read(&bytes).unwrap();
        assert_eq!(held, [("m".to_owned(), 3), ("m".to_owned(), 5)]);
        assert_eq!(read(&bytes[..20]), None);
        assert_eq!(read(&[]), Some(Vec::new()));
    }
}
