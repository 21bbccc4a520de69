//! A file as a log: who says what time it is, which lines are refused and how they are told, and where it ends.

use super::core_support::{self, Points, START, plan, s, short, tenant};
use evaluator::core::{Action, Replay, Tally};
use model::Span;

const NANOS: i64 = 1_000_000_000;

fn replay() -> Replay {
    let yaml = "template: t\ntitle: t\napplies_to: {measurement: m}\none_alert_per: [host]\ncheck: v\n\
                over: last of 1m\nevery: 60s\ninterval: 60s\nlevels: {P1: {above: 1}}\n";
    Replay::new(tenant(), plan(yaml))
}

fn nanos(secs: i64) -> i64 {
    (START + secs) * NANOS
}

fn line(secs: i64, value: i64) -> String {
    format!("m,host=a,env=prod v={value} {}\n", nanos(secs))
}

#[test]
fn time_is_that_of_the_newest_line_or_what_a_comment_says_from_there_on() {
    let comment = |secs: i64| format!("# arrival={}\n", nanos(secs));
    for (body, now) in [
        (String::new(), None),
        (line(60, 1), Some(60)),
        (line(60, 1) + &line(90, 1) + &line(70, 1), Some(90)),
        (comment(100), Some(100)),
        (comment(100) + &line(160, 1), Some(100)),
        (line(60, 1) + &comment(100) + &line(160, 1), Some(100)),
        (comment(100) + &line(60, 1) + &comment(130), Some(130)),
        // Never back.
        (comment(100) + &comment(80), Some(100)),
        // Other comments say nothing, nor does one that is no number, nor what stands within a line.
        ("# a comment\n".to_owned() + &line(60, 1), Some(60)),
        (
            "# a comment\n".to_owned() + &comment(100) + &line(160, 1),
            Some(100),
        ),
        ("# arrival=soon\n".to_owned() + &line(60, 1), Some(60)),
        (
            format!(
                "m,host=a v=1,t=\"# arrival={}\" {}\n",
                nanos(500),
                nanos(60)
            ),
            Some(60),
        ),
        (
            format!("m,host=a v=1,t=\"# \" {}\n", nanos(60)) + &comment(100),
            Some(100),
        ),
        // The last line needs no end.
        (line(60, 1) + comment(100).trim_end(), Some(100)),
        // 2200-01-01 and later is no time by which a file moves.
        (line(7_258_118_400 - START, 1), None),
        (line(7_258_118_399 - START, 1), Some(7_258_118_399 - START)),
    ] {
        let mut replay = replay();
        replay.take(body.as_bytes());
        assert_eq!(replay.now(), now.map(s), "{body}");
    }
}

#[test]
fn a_file_ends_thirty_seconds_after_its_last_point() {
    let mut replay = replay();
    let before = replay.take(line(60, 5).as_bytes());
    assert_eq!(short(&core_support::events(before)), [""; 0]);
    // The minute closes 30 s later, by a tick.
    let after = replay.finish();
    assert_eq!(short(&core_support::events(after)), ["firing P1 @60"]);
}

#[test]
fn time_that_a_comment_lets_pass_has_its_ticks() {
    let mut replay = replay();
    let body = line(60, 5) + &format!("# arrival={}\n", nanos(80));
    let early = replay.take(body.as_bytes());
    assert_eq!(short(&core_support::events(early)), [""; 0]);
    let body = format!("# arrival={}\n", nanos(90));
    let fired = replay.take(body.as_bytes());
    assert_eq!(short(&core_support::events(fired)), ["firing P1 @60"]);
}

#[test]
fn lines_that_cannot_be_read_are_counted_and_the_first_of_them_told() {
    let mut replay = replay();
    let mut actions = replay.take(b"m,host=a v=1\nnonsense\n");
    assert_eq!(replay.now(), None);
    actions.extend(replay.take(line(60, 1).as_bytes()));
    // From the first time on a line without one is of now.
    actions.extend(replay.take(b"m,host=a v=1\n"));
    let (fits, too_long) = ("x".repeat(80), "y".repeat(81));
    actions.extend(replay.take(format!("{fits}\n{too_long}\nthird\nfourth\n").as_bytes()));
    let refused = replay.refused();
    assert_eq!(refused.len(), 5, "{refused:#?}");
    assert_eq!(
        refused[0],
        "`m,host=a v=1`: no timestamp, and no line before it has one"
    );
    assert!(refused[1].starts_with("`nonsense`: "), "{}", refused[1]);
    assert!(
        refused[2].starts_with(&format!("`{fits}`: ")),
        "{}",
        refused[2]
    );
    let shown = format!("`{}...`: ", "y".repeat(80));
    assert!(refused[3].starts_with(&shown), "{}", refused[3]);
    assert!(refused[4].starts_with("`third`: "), "{}", refused[4]);
    let sum = |what: Tally| -> u64 {
        let counted = |action: &Action| match action {
            Action::Count(counter) if counter.what == what => counter.n,
            _ => 0,
        };
        actions.iter().map(counted).sum()
    };
    assert_eq!((sum(Tally::Lines), sum(Tally::Rejected)), (8, 6));
}

#[test]
fn a_file_may_be_taken_in_pieces() {
    let body = (1..=6).fold(String::new(), |body, n| {
        body + &format!("# arrival={}\n", nanos(n * 60 + 1)) + &line(n * 60, n % 3)
    });
    let whole = replay().take(body.as_bytes());
    let mut by_line = replay();
    let pieces: Vec<Action> = body
        .split_inclusive('\n')
        .flat_map(|line| by_line.take(line.as_bytes()))
        .collect();
    let of = |actions: Vec<Action>| short(&core_support::events(actions));
    assert!(!of(whole.clone()).is_empty());
    assert_eq!(of(pieces), of(whole));
    let points = Points::default().at(60, "m,host=a,env=prod v", 5);
    let mut passed = replay();
    passed.take(points.body().as_bytes());
    let events = core_support::events(passed.pass(Span::from_secs(30)));
    assert_eq!(short(&events), ["firing P1 @60"]);
}
