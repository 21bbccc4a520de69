//! An evaluator that is killed again and again says what a fresh one finds in the same log.

use super::harness::{CATALOGUE, Member, World, config, cpu, long_ago};
use std::time::Duration;

const KILLS: i64 = 25;

/// Small numbers that follow from a seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_points_the_events_are_those_of_a_fresh_evaluation() {
    let world = World::open(CATALOGUE).await;
    let mut dice = Dice(0x5EED);
    let start = long_ago(&world);
    let mut alerts = world.alerts(0).await;
    let first = Member::start(&world.stream, config()).await;
    alerts.until_caught_up(0).await;
    first.kill();
    let mut last = 0;
    for round in 0..KILLS {
        let member = Member::start(&world.stream, config()).await;
        for slice in 0..6 {
            for host in 0..12 {
                let usage = [20.0, 75.0, 95.0, 95.0][dice.below(4) as usize];
                let from = (round * 6 + slice) * 60;
                let lines = cpu(&format!("web-{host}"), start, (from, from + 60), usage);
                last = world.produce(0, &lines).await;
            }
            // Where the kill falls shall differ; nothing waits for this.
            tokio::time::sleep(Duration::from_millis(dice.below(60))).await;
        }
        member.kill();
    }
    let member = Member::start(&world.stream, config()).await;
    alerts.until_caught_up(last).await;
    member.stop().await;
    let events = world.assert_as_fresh(0, &alerts).await;
    assert!(events > 100, "only {events} events prove little");
}
