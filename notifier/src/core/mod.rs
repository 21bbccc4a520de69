//! Decisions: what an event, a person or the time does to an incident. Pure; no I/O, async or
//! clock.

mod action;
mod around;
mod audit;
pub mod audit_log;
mod backlog;
mod bounded;
pub mod catalogue_log;
mod delivery;
mod directory;
mod duty;
mod emergency;
mod events;
mod external;
mod figures;
mod hand_over;
mod hands;
mod hold;
mod identity;
mod incident;
mod mapping;
mod matcher;
mod message;
mod notice;
mod own_rules;
mod pace;
mod paging;
mod people;
mod readiness;
pub mod render;
mod silence;
mod standard;
mod step;
mod times;
mod turns;
mod verification;
mod watch;
mod who;
mod words;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_around;
#[cfg(test)]
mod tests_bounds;
#[cfg(test)]
mod tests_catalogue;
#[cfg(test)]
mod tests_duty;
#[cfg(test)]
mod tests_events;
#[cfg(test)]
mod tests_external;
#[cfg(test)]
mod tests_hands;
#[cfg(test)]
mod tests_notices;
#[cfg(test)]
mod tests_own_rules;
#[cfg(test)]
mod tests_owner;
#[cfg(test)]
mod tests_silence;
#[cfg(test)]
mod tests_standard;
#[cfg(test)]
mod world;

pub use action::{Action, Alarm, AlarmKind, Delivery, Entry, EntryKind};
pub use around::{Around, Neighbour, News, Reason, Wanted as WantedAround};
pub use audit::{Finding, audit};
pub use backlog::{Arrived, Backlog};
pub use bounded::{BoundedTemplate, TEMPLATE_BYTES, TemplateError};
pub use delivery::{
    Attempt, By, FIRST_LOOK, Limits, Next, Receipt, Sibling, after_asking, after_receipt,
    after_sending, entry, merge_fate, outruns, step_lives,
};
pub use directory::{
    Care, Dependency, Directory, Ends, Grouping, Person, Policy, Route, RouteTo, Rule, Selector,
    Step,
};
pub use duty::Roster;
pub use emergency::{Because, Emergencies, StoreSays, Verdict, Waiting, page, verdict};
pub use external::{External, Facts, Report, Says, Taken, priority_of, take};
pub use figures::{Figures, Moment, Times};
pub use hand_over::{HandOver, NAMED, Open, hand_overs};
pub use hold::{Hold, HoldKind};
pub use identity::{Expected, Identity, Names, NotOurs, check as check_identity, identity};
pub use incident::{Escalation, Incident, Target, Told};
pub use mapping::{Mapping, MappingError, unreadable};
pub use matcher::{BadMatcher, Labels, MatchOp, Matcher};
pub use message::{
    Asked, DeliveryId, IncidentSummary, Message, Outcome, ProviderRef, Purpose, Recipient,
};
pub use notice::{NOTICE_TEMPLATE, Notice, Said, code_text, test_text};
pub use own_rules::{FollowUp, OwnRule};
pub use pace::{Pace, Rate};
pub use silence::{
    BadSilence, Quiet, Silence, SilenceKind, SilenceSpec, SilenceState, Silences, Weekly,
};
pub use standard::{StandardEvent, instant, listed};
pub use step::{Input, LONGEST_SNOOZE, Life, SHORTEST_SNOOZE, Seen, refusal, step};
pub use turns::{Lane, Turns};
pub use verification::{CODE_AGAIN, CODE_HOLDS, NotVerified, Phone, Sent};
pub use watch::{Blind, Found, Part, Sign, Watch, report as blind_report, service_of};
pub use who::{Denied, Grant, GroupGrant, Proof, Tenants, Who, grants_of};
pub use words::{Actor, ChannelKind, Fate, Language, Status, Via};
