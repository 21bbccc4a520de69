//! What a notifier must do on every database: the cases, run here on SQLite and by the harness on
//! PostgreSQL.
//!
//! Each case starts real replicas over an embedded log, with a clock that the case moves and
//! channels that write down what they are given.

mod auditing;
mod crash;
mod hands;
mod paging;
mod recorder;
mod sharing;
mod silencing;
mod storage;
mod trouble;
mod world;

pub use auditing::{
    the_audit_log_is_one_chain_however_many_write_and_link_it,
    tokens_sessions_and_sign_ins_are_kept_and_end,
};
pub use crash::{Crashes, Point, crashed};
pub use hands::{
    a_host_that_is_down_hides_its_other_alerts, people_give_away_put_off_and_judge_anew,
    what_is_merged_pages_again_when_the_other_is_over,
};
pub use paging::{
    a_p1_goes_to_room_and_phone_and_the_recovery_to_the_same, a_restart_keeps_the_deadlines,
    an_event_that_comes_again_changes_nothing, late_events_page_when_the_evaluator_caught_up,
    nobody_acknowledges_and_the_next_is_paged,
};
pub use recorder::{Recorder, Script};
pub use sharing::{
    a_p1_overtakes_a_flood_of_p3,
    a_p1_that_was_forgotten_is_found_by_the_auditor_and_pages_everyone,
    a_slow_destination_stalls_nobody_else, a_step_that_is_due_waits_for_no_storm_of_others,
    an_acknowledgement_races_the_escalation, changes_of_one_replica_are_seen_at_the_other,
    messages_keep_a_pace_that_delays_no_p1_and_nobody_else,
    pages_of_one_tenant_leave_places_for_others, two_replicas_send_each_message_once,
};
pub use silencing::{
    a_silence_holds_pages_back_and_its_end_pages, ending_a_silence_pages_what_it_held_back,
    silences_are_read_back_and_changed_as_alertmanager_does,
};
pub use storage::{
    an_outdated_lease_records_nothing, incidents_are_read_back_as_they_were_kept,
    lists_are_filtered_searched_and_paged,
};
pub use trouble::{
    a_refused_page_advances_the_escalation_at_once, accepted_without_a_receipt_the_next_is_told,
    an_undelivered_receipt_advances_the_escalation_at_once, an_unreadable_record_is_passed_over,
    killed_between_send_and_record, what_is_put_off_for_too_long_advances_the_escalation_at_once,
    what_the_provider_puts_off_is_sent_later,
};
pub use world::{Replica, World};

/// Hands the names of all cases to a macro, so that no database is held to fewer than another.
#[macro_export]
macro_rules! notifier_contract {
    ($each:ident) => {
        $each! {
            a_p1_goes_to_room_and_phone_and_the_recovery_to_the_same,
            an_event_that_comes_again_changes_nothing,
            nobody_acknowledges_and_the_next_is_paged,
            a_restart_keeps_the_deadlines,
            late_events_page_when_the_evaluator_caught_up,
            killed_between_send_and_record,
            a_refused_page_advances_the_escalation_at_once,
            what_the_provider_puts_off_is_sent_later,
            what_is_put_off_for_too_long_advances_the_escalation_at_once,
            an_undelivered_receipt_advances_the_escalation_at_once,
            accepted_without_a_receipt_the_next_is_told,
            an_unreadable_record_is_passed_over,
            two_replicas_send_each_message_once,
            a_slow_destination_stalls_nobody_else,
            a_p1_overtakes_a_flood_of_p3,
            a_step_that_is_due_waits_for_no_storm_of_others,
            an_acknowledgement_races_the_escalation,
            messages_keep_a_pace_that_delays_no_p1_and_nobody_else,
            pages_of_one_tenant_leave_places_for_others,
            a_p1_that_was_forgotten_is_found_by_the_auditor_and_pages_everyone,
            incidents_are_read_back_as_they_were_kept,
            lists_are_filtered_searched_and_paged,
            an_outdated_lease_records_nothing,
            a_silence_holds_pages_back_and_its_end_pages,
            ending_a_silence_pages_what_it_held_back,
            silences_are_read_back_and_changed_as_alertmanager_does,
            people_give_away_put_off_and_judge_anew,
            a_host_that_is_down_hides_its_other_alerts,
            what_is_merged_pages_again_when_the_other_is_over,
            the_audit_log_is_one_chain_however_many_write_and_link_it,
            tokens_sessions_and_sign_ins_are_kept_and_end,
        }
    };
}
