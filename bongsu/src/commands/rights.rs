//! `bongsu rights`: what each service needs of a Kafka with access rules, and giving it to the service's user.

use super::settings;
use crate::cli::{Global, Rights as Command};
use crate::failure::{Exit, Failure, Outcome};
use crate::parts::log_failure;
use crate::print::{self, Table};
use crate::rights::Service;
use stream::Access;

pub(super) async fn run(global: &Global, command: Command) -> Outcome {
    match command {
        Command::List { service } => {
            list(global, service);
            Ok(())
        }
        Command::Grant { service, user } => change(global, service, &user, true).await,
        Command::Revoke { service, user } => change(global, service, &user, false).await,
    }
}

fn list(global: &Global, only: Option<Service>) {
    let mut table = Table::new(&["service", "on", "may", "for"]);
    let all = Service::ALL.into_iter();
    for service in all.filter(|each| only.is_none_or(|only| only == *each)) {
        for right in service.rights() {
            table.row(vec![
                service.as_str().into(),
                right.resource.to_string().into(),
                right.operation.as_str().into(),
                right.why.into(),
            ]);
        }
    }
    print::table(&table, global.form());
}

async fn change(global: &Global, service: Service, user: &str, granted: bool) -> Outcome {
    let settings = settings(global)?;
    let kafka = settings.kafka.as_ref().ok_or_else(|| {
        Failure::new(Exit::Usage, "the embedded log has no users")
            .hint("name the brokers with --kafka")
    })?;
    let failed = |error| log_failure(&error);
    let mut access = Access::connect(kafka).await.map_err(failed)?;
    let grants = service.grants(user);
    let changed = if granted {
        access.grant(&grants).await
    } else {
        access.revoke(&grants).await
    };
    changed.map_err(failed)?;
    let (word, name) = (
        if granted { "has" } else { "has no longer" },
        service.as_str(),
    );
    print::message(&format!(
        "{user} {word} the {} rights of the {name}",
        grants.len()
    ));
    Ok(())
}
