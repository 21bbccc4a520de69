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

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_of_a_notifier_holds_on_postgresql() {
    let postgres = Postgres::start().await;
    macro_rules! cases {
        ($($case:ident),+ $(,)?) => {$(
            let folder = tempfile::tempdir().unwrap();
            contract::$case(world(&postgres, &folder).await).await;
        )+};
    }
    notifier::notifier_contract!(cases);
    // What only processes of their own on one database can show.
    let folder = tempfile::tempdir().unwrap();
    contract::changes_of_one_replica_are_seen_at_the_other(world(&postgres, &folder).await).await;
}
