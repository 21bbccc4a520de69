//! One file a command, and the way from the command line to it.

mod access;
mod api;
mod apply;
mod audit;
mod backup;
mod bench;
mod config;
mod dlq;
mod doctor;
mod import;
mod incident;
mod integration;
mod notify;
mod oncall;
mod place;
mod records;
mod report;
mod rights;
mod schema;
mod service;
mod shard;
mod silence;
mod tap;
mod template;
mod tenant;
mod token;
mod up;

use crate::cli::{Cli, Command, Global, Route};
use crate::failure::{Exit, Failure, Outcome};
use crate::settings::{self, Settings};

pub(crate) use access::Access;

/// Runs the command.
pub(crate) async fn run(cli: Cli) -> Outcome {
    let Cli { global, command } = cli;
    match command {
        Command::Up(up) => up::run(&global, up).await,
        Command::Router(listen) => service::router(&global, listen).await,
        Command::Consumer(listen) => service::consumer(&global, listen).await,
        Command::Evaluator(listen) => service::evaluator(&global, listen).await,
        Command::Notifier(notifier) => service::notifier(&global, notifier).await,
        Command::Apply(apply) => apply::run(&global, apply).await,
        Command::Backup(args) => backup::backup(&global, args).await,
        Command::Restore(args) => backup::restore(&global, args).await,
        Command::Tenant(tenant) => tenant::run(&global, tenant).await,
        Command::Incident(incident) => incident::run(&global, incident).await,
        Command::Report(report) => report::run(&global, report).await,
        Command::Integration(integration) => integration::run(&global, integration).await,
        Command::Silence(silence) => silence::run(&global, silence).await,
        Command::Token(token) => token::run(&global, token).await,
        Command::Audit(audit) => audit::run(&global, audit).await,
        Command::Notify(notify) => notify::run(&global, &notify).await,
        Command::Oncall(oncall) => oncall::run(&global, oncall).await,
        Command::Import(asked) => import::run(&asked),
        Command::Template(template) => template::run(&global, template).await,
        Command::Resolve(asked) => place::resolve(&global, asked).await,
        Command::Route(Route::Explain { line, tenant }) => {
            place::explain(&global, &line, &tenant).await
        }
        Command::Shard(shard) => shard::run(&global, shard).await,
        Command::Dlq(dlq) => dlq::run(&global, dlq).await,
        Command::Tap(tap) => tap::run(&global, tap).await,
        Command::Config(config) => config::run(&global, config),
        Command::Doctor(doctor) => doctor::run(&global, doctor).await,
        Command::Bench(bench) => bench::run(&global, bench).await,
        Command::Rights(rights) => rights::run(&global, rights).await,
        Command::Schema { kind } => schema::run(kind.as_deref()),
        Command::Completions { shell } => {
            completions(shell);
            Ok(())
        }
    }
}

fn completions(shell: clap_complete::Shell) {
    use clap::CommandFactory;
    clap_complete::generate(shell, &mut Cli::command(), "bongsu", &mut std::io::stdout());
}

/// Reads the configuration of a command that only asks.
fn settings(global: &Global) -> Outcome<Settings> {
    Settings::load(&settings::layers(global)?)
}

/// Reads the files that a person named: each file, or the `*.yaml` of a folder in the order of their names.
fn yaml_files(path: &std::path::Path) -> Outcome<Vec<(String, String)>> {
    let read = |path: &std::path::Path| {
        std::fs::read_to_string(path)
            .map(|text| (path.display().to_string(), text))
            .map_err(|error| {
                Failure::new(
                    Exit::Usage,
                    format!("cannot read {}: {error}", path.display()),
                )
            })
    };
    if path == std::path::Path::new("-") {
        let text = std::io::read_to_string(std::io::stdin()).map_err(|error| {
            Failure::new(Exit::Usage, format!("cannot read standard input: {error}"))
        })?;
        return Ok(vec![("standard input".to_owned(), text)]);
    }
    if !path.is_dir() {
        return Ok(vec![read(path)?]);
    }
    let entries = std::fs::read_dir(path).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("cannot read {}: {error}", path.display()),
        )
    })?;
    let mut paths: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|ending| ending == "yaml" || ending == "yml")
        })
        .collect();
    paths.sort();
    if paths.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            format!("{} holds no *.yaml", path.display()),
        ));
    }
    paths.iter().map(|path| read(path)).collect()
}
