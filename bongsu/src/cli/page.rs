//! docs/commands.md, written from the command line itself; and what holds of every command.

use super::Cli;
use crate::failure::Exit;
use clap::{Arg, Command, CommandFactory};
use std::fmt::Write as _;

const HEAD: &str = "\
# Commands

Written by `BLESS=1 cargo test -p bongsu --lib cli` from the command line itself; `bongsu COMMAND --help` says more. `bongsu completions SHELL` prints
what completes them in bash, zsh, fish, elvish or PowerShell.

Results go to standard output, messages to standard error. `-o table|json|jsonl|yaml|csv` prints a result in another form; what is made for one program alone
has one form: `completions`, `schema`, `template docs`, `template import`, `import`, `oncall calendar`. On a terminal what lasts shows how far it is; `NO_COLOR`
turns colours off. Flags win over variables (`BONGSU_KAFKA__BROKERS=a:9092`), which win over the file of `--config`; `bongsu config show --origin` prints
which one it was for each key. Secrets are given by files; `up --database` alone takes an address that may hold a password.

`--lang ko` prints tables, the messages of commands about tenants, incidents, silences and duty, and what `bongsu up` says in Korean. Errors, hints, logs and
what scripts read stay English ([why](decisions/0022-what-is-translated.md)). `--yes` answers the one question that there is: `tenant remove` asks for the name.

## How a command ends

An error is `error[CODE]: cause`, and `hint: what to do` below it where that is known; a slip of a command, flag, key or name is told with the word that was meant.

| exit | code | what |
|---|---|---|
";

const MEANS: [(Exit, &str); 5] = [
    (Exit::Failed, "it was tried and did not succeed"),
    (
        Exit::Usage,
        "it was asked wrongly: a flag, a key of the configuration, a name that is not there, a question that was answered with no",
    ),
    (
        Exit::Findings,
        "it ran and found something that is not in order: `doctor`, `template lint`, `template test`, `apply` of a file with a fault, `bench` beyond a limit",
    ),
    (Exit::Auth, "a token, password or right is missing or wrong"),
    (Exit::Unreachable, "what it needs does not answer"),
];

/// Commands that do something, each with its path of names.
fn leaves(above: &str, command: &Command, found: &mut Vec<(String, Command)>) {
    for each in command
        .get_subcommands()
        .filter(|each| each.get_name() != "help")
    {
        let path = format!("{above} {}", each.get_name());
        match each.has_subcommands() {
            true => leaves(&path, each, found),
            false => found.push((path.trim().to_owned(), each.clone())),
        }
    }
}

/// Every command that does something.
fn all() -> Vec<(String, Command)> {
    let mut found = Vec::new();
    let mut root = Cli::command();
    root.build();
    leaves("", &root, &mut found);
    found
}

fn own_flags(command: &Command) -> impl Iterator<Item = &Arg> {
    let flags = command.get_arguments().filter(|arg| !arg.is_positional());
    flags.filter(|arg| !arg.is_global_set() && arg.get_id() != "help" && arg.get_id() != "version")
}

fn page() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("| 0 | | it is done |\n");
    for (exit, what) in MEANS {
        writeln!(text, "| {} | `{}` | {what} |", exit as u8, exit.code()).unwrap();
    }
    text.push_str("\n## All of them\n\n| command | what | options |\n|---|---|---|\n");
    for (path, command) in all() {
        let mut name = path;
        for arg in command.get_positionals() {
            let id = arg.get_id().as_str().to_uppercase();
            name += &match arg.is_required_set() {
                true => format!(" {id}"),
                false => format!(" [{id}]"),
            };
        }
        let flags: Vec<String> = own_flags(&command)
            .filter_map(|arg| Some(format!("`--{}`", arg.get_long()?)))
            .collect();
        let about = command
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        let about = about.replace('|', "\\|");
        writeln!(text, "| `{name}` | {about} | {} |", flags.join(" ")).unwrap();
    }
    text
}

#[test]
fn the_documentation_shows_every_command() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/commands.md");
    let fresh = page();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &fresh).unwrap();
        return;
    }
    let known = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        known == fresh,
        "write it anew: BLESS=1 cargo test -p bongsu --lib cli"
    );
}

#[test]
fn every_command_says_what_it_does_and_so_does_every_flag() {
    for (path, command) in all() {
        assert!(command.get_about().is_some(), "{path}");
        for arg in command.get_arguments() {
            assert!(arg.get_help().is_some(), "{path}: {}", arg.get_id());
        }
    }
}

/// The word with its last letter twice.
fn slip(word: &str) -> String {
    let last = word.chars().last().unwrap_or_default();
    format!("{word}{last}")
}

#[test]
fn a_slip_of_any_command_or_flag_is_told_with_what_was_meant() {
    let refused = |words: &[&str]| {
        let words = std::iter::once("bongsu").chain(words.iter().copied());
        let error = Cli::command().try_get_matches_from(words).unwrap_err();
        error.to_string()
    };
    for (path, command) in all() {
        let mut words: Vec<&str> = path.split(' ').collect();
        let wrong = slip(words.pop().unwrap());
        words.push(&wrong);
        let told = refused(&words);
        assert!(
            told.contains(&format!("'{}'", command.get_name())),
            "{path}: {told}"
        );
        for flag in command.get_arguments().filter_map(Arg::get_long) {
            let wrong = format!("--{}", slip(flag));
            let words: Vec<&str> = path.split(' ').chain([wrong.as_str()]).collect();
            let told = refused(&words);
            assert!(
                told.contains(&format!("'--{flag}'")),
                "{path} --{flag}: {told}"
            );
        }
    }
}
