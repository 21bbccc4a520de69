//! Cases of groups.

use super::member::{Member, Seen, spec};
use super::{Subject, Topic, within};
use crate::{Commit, GroupEvent, NewRecord, StreamError, Topics};
use std::time::Duration;

/// What a reader holds back beyond its one message may be of this order, for a topic that is
/// larger.
const SLOW_BYTES: u64 = 96 << 20;
const LARGE: usize = 512 << 10;
const QUIET: Duration = Duration::from_millis(1_500);
/// Long enough that a log gives up waiting for its reader.
const IDLE: Duration = Duration::from_millis(100);
const IDLES: u32 = 70;

/// A member that comes back is told its commit, text included, and goes on from there.
pub async fn groups_resume_at_their_commit_with_its_metadata(subject: &mut dyn Subject) {
    let topic = Topic::make(subject, "contract.resume", 1).await;
    topic.send_numbers(0, 0..100).await;
    let mut member = Member::join(&topic, "resume").await;
    let assigned = member.assigned().await;
    assert_eq!(assigned.partitions, [(topic.partition(0), None)]);
    let commit = Commit {
        source: topic.partition(0),
        next_offset: 40,
        metadata: "{\"lines\":40,\"이름\":1}".to_owned(),
    };
    member
        .handle
        .commit(vec![commit.clone()])
        .await
        .expect("the partition is its own");
    member.leave(&Seen::default()).await;
    let source = topic.partition(0);
    drop(topic);

    subject.again().await;
    let stream = subject.stream();
    let committed = stream
        .committed("resume", std::slice::from_ref(&source))
        .await;
    assert_eq!(
        committed.expect("the log answers"),
        std::slice::from_ref(&commit)
    );
    let others = stream
        .committed("nobody", std::slice::from_ref(&source))
        .await;
    assert_eq!(others.expect("the log answers"), []);
    let named = Topics::Named(vec![source.topic.clone()]);
    let mut member = Member::join_as(&stream, spec("resume", named)).await;
    let assigned = member.assigned().await;
    assert_eq!(assigned.partitions, [(source.clone(), Some(commit))]);
    member
        .handle
        .start(&source, 40)
        .await
        .expect("it is assigned");
    member.held.insert(source, 40);
    let seen = Seen::default();
    member.work(&seen, |_| seen.len() == 60).await;
    member.leave(&seen).await;
}

/// Assigned partitions stay unread until they are started, and while they are paused; then nothing
/// is missing.
pub async fn nothing_is_read_before_start_nor_while_paused(subject: &mut dyn Subject) {
    let topic = Topic::make(subject, "contract.start", 2).await;
    topic.send_numbers(0, 0..50).await;
    topic.send_numbers(1, 0..50).await;
    let mut member = Member::join(&topic, "start").await;
    let assigned = member.assigned().await;
    assert_eq!(assigned.partitions.len(), 2);
    let quiet = tokio::time::timeout(QUIET, member.next()).await;
    assert!(quiet.is_err(), "an event before the start: {quiet:?}");

    let seen = Seen::default();
    let start = async |member: &mut Member, partition, offset| {
        let source = topic.partition(partition);
        member
            .handle
            .start(&source, offset)
            .await
            .expect("it is assigned");
        member.held.insert(source, offset);
    };
    start(&mut member, 0, 20).await;
    member.work(&seen, |_| seen.len() == 30).await;
    member.handle.pause(&topic.partition(0), true);
    start(&mut member, 1, 0).await;
    member.work(&seen, |_| seen.len() == 80).await;
    topic.send_numbers(0, 50..100).await;
    let quiet = tokio::time::timeout(QUIET, member.next()).await;
    assert!(quiet.is_err(), "an event while paused: {quiet:?}");
    member.handle.pause(&topic.partition(0), false);
    member.work(&seen, |_| seen.len() == 130).await;
    // A start also moves a partition that is being read.
    start(&mut member, 1, 10).await;
    member.work(&seen, |_| seen.repeated().len() == 40).await;
    member.leave(&seen).await;
}

/// A pause ends when its partition is given back: who gains it next reads it, the same member too.
pub async fn a_pause_ends_with_the_assignment(subject: &mut dyn Subject) {
    let topic = Topic::make(subject, "contract.pause", 2).await;
    let seen = Seen::default();
    for partition in 0..2 {
        topic.send_numbers(partition, 0..10).await;
    }
    let mut first = Member::join(&topic, "pause").await;
    first.work(&seen, |_| seen.len() == 20).await;
    for partition in 0..2 {
        first.handle.pause(&topic.partition(partition), true);
    }
    let mut second = Member::join(&topic, "pause").await;
    let (a, b) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let shared = || (a.get(), b.get()) == (1, 1);
    tokio::join!(
        first.work(&seen, |member| {
            a.set(member.held.len());
            shared()
        }),
        second.work(&seen, |member| {
            b.set(member.held.len());
            shared()
        }),
    );
    let ((), ()) = tokio::join!(
        first.work(&seen, |member| member.held.len() == 2),
        second.leave(&seen),
    );
    let back = first.given_back[0].partition;
    topic.send_numbers(back, 10..20).await;
    first.work(&seen, |_| seen.len() == 30).await;
    first.leave(&seen).await;
}

/// A topic made after the join is read from its beginning within seconds, and sooner by who looks.
pub async fn new_topics_are_found_by_their_prefix(subject: &mut dyn Subject) {
    let first = Topic::make(subject, "contractprefix.first", 1).await;
    let _other = Topic::make(subject, "contractother.first", 1).await;
    first.send_numbers(0, 0..10).await;
    let joined = spec("prefix", Topics::Prefix("contractprefix."));
    let mut member = Member::join_as(&first.stream, joined).await;
    let seen = Seen::default();
    member.work(&seen, |_| seen.len() == 10).await;
    let second = Topic::make(subject, "contractprefix.second", 2).await;
    second.send_numbers(0, 0..10).await;
    second.send_numbers(1, 0..10).await;
    let found = member.work(&seen, |member| seen.len() == 30 && member.held.len() == 3);
    tokio::time::timeout(Duration::from_secs(15), found)
        .await
        .expect("found in seconds");
    let third = Topic::make(subject, "contractprefix.third", 1).await;
    third.send_numbers(0, 0..10).await;
    let looked = within("a look", member.handle.look()).await;
    looked.expect("the log says which topics there are");
    let found = member.work(&seen, |member| seen.len() == 40 && member.held.len() == 4);
    within("finding a topic", found).await;
    member.leave(&seen).await;
}

/// Members come and go under load; each record is read once, because each hand-over waits for the
/// commit.
pub async fn rebalances_hand_over_without_loss_or_repeat(subject: &mut dyn Subject) {
    let topic = Topic::make(subject, "contract.rebalance", 4).await;
    let seen = Seen::default();
    let send = async |numbers: std::ops::Range<u32>| {
        for n in numbers {
            topic.send(n % 4, n.to_string()).await;
        }
    };
    let mut first = Member::join(&topic, "rebalance").await;
    let ((), ()) = tokio::join!(first.work(&seen, |_| seen.len() == 100), send(0..100));
    assert_eq!(first.held.len(), 4);
    let mut second = Member::join(&topic, "rebalance").await;
    // Who holds two goes on until the other one does, or a hand-over would wait for it.
    let both = |held: &std::cell::Cell<usize>, member: &Member| {
        held.set(member.held.len());
    };
    let (a, b) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let done = || (a.get(), b.get()) == (2, 2) && seen.len() == 400;
    let ((), (), ()) = tokio::join!(
        first.work(&seen, |member| {
            both(&a, member);
            done()
        }),
        second.work(&seen, |member| {
            both(&b, member);
            done()
        }),
        send(100..400),
    );
    let ((), (), ()) = tokio::join!(
        first.work(&seen, |member| member.held.len() == 4 && seen.len() == 600),
        second.leave(&seen),
        send(400..600),
    );
    assert_eq!(
        seen.repeated(),
        [],
        "read by both, though the first had committed"
    );
    first.leave(&seen).await;
}

/// Many topics are read, paused and handed over as few are: a log may read them in several parts.
pub async fn many_topics_are_read_and_handed_over_as_few(subject: &mut dyn Subject) {
    const TOPICS: usize = 70;
    let mut topics = Vec::new();
    for n in 0..TOPICS {
        let topic = Topic::make(subject, &format!("contractmany.t{n}"), 1).await;
        topic.send_numbers(0, 0..5).await;
        topics.push(topic);
    }
    let join = || spec("many", Topics::Prefix("contractmany."));
    let (seen, stream) = (Seen::default(), subject.stream());
    let mut first = Member::join_as(&stream, join()).await;
    let all = |member: &Member| member.held.len() == TOPICS;
    first
        .work(&seen, |member| all(member) && seen.len() == 5 * TOPICS)
        .await;
    for topic in &topics {
        first.handle.pause(&topic.partition(0), true);
        topic.send_numbers(0, 5..10).await;
        first.handle.pause(&topic.partition(0), false);
    }
    first.work(&seen, |_| seen.len() == 10 * TOPICS).await;
    let mut second = Member::join_as(&stream, join()).await;
    let (a, b) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let shared = || (a.get(), b.get()) == (TOPICS / 2, TOPICS / 2);
    let send = async |numbers: std::ops::Range<u32>| {
        for topic in &topics {
            topic.send_numbers(0, numbers.clone()).await;
        }
    };
    let ((), (), ()) = tokio::join!(
        first.work(&seen, |member| {
            a.set(member.held.len());
            shared() && seen.len() == 15 * TOPICS
        }),
        second.work(&seen, |member| {
            b.set(member.held.len());
            shared() && seen.len() == 15 * TOPICS
        }),
        send(10..15),
    );
    let ((), (), ()) = tokio::join!(
        first.work(&seen, |member| all(member) && seen.len() == 20 * TOPICS),
        second.leave(&seen),
        send(15..20),
    );
    assert_eq!(seen.repeated(), [], "read by both, or twice by one");
    first.leave(&seen).await;
}

/// Who gave a partition back cannot move its offset any more.
pub async fn commits_of_a_partition_given_back_are_fenced(subject: &mut dyn Subject) {
    let topic = Topic::make(subject, "contract.fenced", 2).await;
    let seen = Seen::default();
    let mut first = Member::join(&topic, "fenced").await;
    first.work(&seen, |member| member.held.len() == 2).await;
    let mut second = Member::join(&topic, "fenced").await;
    let held = std::cell::Cell::new(0);
    tokio::join!(
        first.work(&seen, |_| held.get() == 1),
        second.work(&seen, |member| {
            held.set(member.held.len());
            held.get() == 1
        }),
    );
    let moved = first
        .given_back
        .first()
        .expect("one was given back")
        .clone();
    let kept = first.held.keys().next().expect("one was kept").clone();
    let commit = |source| Commit {
        source,
        next_offset: 0,
        metadata: "late".to_owned(),
    };
    let late = first
        .handle
        .commit(vec![commit(kept.clone()), commit(moved.clone())])
        .await;
    assert!(matches!(late, Err(StreamError::Fenced { .. })), "{late:?}");
    let started = first.handle.start(&moved, 0).await;
    assert!(
        matches!(started, Err(StreamError::Fenced { .. })),
        "{started:?}"
    );
    let both = topic
        .stream
        .committed("fenced", &[kept.clone(), moved])
        .await;
    assert_eq!(both.expect("the log answers"), [], "all or none");
    first
        .handle
        .commit(vec![commit(kept)])
        .await
        .expect("the partition is its own");
    let handle = first.handle.clone();
    tokio::join!(
        first.leave(&seen),
        second.work(&seen, |member| member.held.len() == 2)
    );
    let gone = handle.commit(vec![commit(topic.partition(0))]).await;
    assert!(gone.is_err(), "a commit of a member that left");
    second.leave(&seen).await;
}

/// An offset that the log does not hold is an error that names it, never another place in the log.
pub async fn offsets_out_of_range_are_said(subject: &mut dyn Subject) {
    let topic = Topic::make(subject, "contract.range", 2).await;
    topic.send_numbers(0, 0..10).await;
    topic.send_numbers(1, 0..10).await;
    let mut member = Member::join(&topic, "range").await;
    member.assigned().await;
    let (bad, good) = (topic.partition(0), topic.partition(1));
    let seen = Seen::default();
    member.handle.start(&good, 0).await.expect("it is assigned");
    member.held.insert(good, 0);
    member.work(&seen, |_| seen.len() == 10).await;
    member
        .handle
        .start(&bad, 1_000)
        .await
        .expect("it is assigned");
    let said = loop {
        match member.next().await {
            GroupEvent::Failed(error @ StreamError::OffsetOutOfRange { .. }) => break error,
            GroupEvent::Batch(batch) => panic!("{} goes on elsewhere", batch.source()),
            _ => {}
        }
    };
    let StreamError::OffsetOutOfRange {
        partition,
        wanted,
        earliest,
        end,
        ..
    } = said
    else {
        unreachable!("matched above");
    };
    assert_eq!((partition, wanted, earliest, end), (0, 1_000, 0, 10));
    member.handle.start(&bad, 5).await.expect("it is assigned");
    member.held.insert(bad, 5);
    member.work(&seen, |_| seen.len() == 15).await;
    member.leave(&seen).await;
}

/// A member that does not read holds back the reading, not the process's memory; later nothing is
/// missing.
pub async fn slow_readers_bound_memory(subject: &mut dyn Subject) {
    let topic = Topic::make(subject, "contract.slow", 1).await;
    let count = 3 * SLOW_BYTES as usize / 2 / LARGE;
    for _ in 0..count {
        let record = NewRecord::value(topic.partition(0), vec![b'x'; LARGE]);
        within("an acknowledgement", topic.stream.send(record))
            .await
            .expect("taken");
    }
    let mut member = Member::join(&topic, "slow").await;
    member.assigned().await;
    let before = resident_bytes();
    let source = topic.partition(0);
    member
        .handle
        .start(&source, 0)
        .await
        .expect("it is assigned");
    member.held.insert(source, 0);
    let mut most = 0;
    for _ in 0..IDLES {
        tokio::time::sleep(IDLE).await;
        most = most.max(resident_bytes().saturating_sub(before));
    }
    assert!(most < SLOW_BYTES, "{most} bytes more while nobody reads");
    let seen = Seen::default();
    member.work(&seen, |_| seen.len() == count).await;
    member.leave(&seen).await;
}

/// Memory of this process as Linux counts it.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.trim().parse::<u64>().ok())
        .expect("a number of kB")
        * 1024
}
