//! The contract of a notifier over a real PostgreSQL: the cases that SQLite is held to in its own
//! crate, and what only several processes on one database can show.

use notifier::config::Database;
use notifier::contract::{self, World};
use tests::Postgres;

async fn world(postgres: &Postgres, folder: &tempfile::TempDir) -> World {
    let url = folder.path().join("postgres-url");
    std::fs::write(&url, postgres.database()).unwrap();
    let database = Database {
        postgres_url_file: Some(url),
        ..Database::default()
    };
    World::new(folder.path(), database).await
}

macro_rules! cases {
    ($postgres:ident: $($name:ident),+ $(,)?) => {$(
        let folder = tempfile::tempdir().unwrap();
        contract::$name(world(&$postgres, &folder).await).await;
    )+};
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_of_a_notifier_holds_on_postgresql() {
    let postgres = Postgres::start().await;
    cases!(postgres:
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
    accepted_without_a_receipt_the_next_is_told, an_unreadable_record_is_passed_over,
        two_replicas_send_each_message_once,
        a_slow_destination_stalls_nobody_else,
        a_p1_overtakes_a_flood_of_p3,
        an_acknowledgement_races_the_escalation,
        messages_keep_a_pace_that_delays_no_p1_and_nobody_else,
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
        changes_of_one_replica_are_seen_at_the_other,
    );
}
