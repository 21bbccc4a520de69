//! The state of groups in a running system: every evaluator that is named is asked, and each answers for the
//! partitions that it holds.

use super::super::access::running_process;
use super::super::settings;
use crate::cli::{Explain as Args, Global, Output};
use crate::failure::{Exit, Failure, Outcome};
use crate::print;
use crate::settings::Settings;
use runtime::Secret;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The tenant that `up` begins with.
const TENANT: &str = "default";

/// What an evaluator answers.
#[derive(Debug, Deserialize)]
struct Answer {
    held: Vec<u32>,
    busy: Vec<u32>,
    partitions: Option<u32>,
    revision: Option<u64>,
    templates: Option<Vec<String>>,
    groups: Vec<Group>,
    more: usize,
}

#[derive(Debug, Deserialize)]
struct Group {
    text: String,
    state: Value,
}

/// All answers together.
#[derive(Debug, Default)]
struct Whole {
    held: BTreeSet<u32>,
    busy: BTreeSet<u32>,
    partitions: u32,
    revision: Option<u64>,
    templates: BTreeSet<String>,
    groups: Vec<Group>,
    more: usize,
}

impl Whole {
    fn add(&mut self, answer: Answer) {
        self.held.extend(answer.held);
        self.busy.extend(answer.busy);
        self.partitions = self.partitions.max(answer.partitions.unwrap_or(0));
        self.revision = self.revision.max(answer.revision);
        self.templates.extend(answer.templates.unwrap_or_default());
        self.groups.extend(answer.groups);
        self.more += answer.more;
    }

    /// Partitions that nobody has answered for.
    fn missing(&self) -> Vec<String> {
        let all = 0..self.partitions;
        let missing = all.filter(|n| !self.held.contains(n));
        missing.map(|n| n.to_string()).collect()
    }
}

pub(super) async fn run(global: &Global, args: &Args, tags: &[(String, String)]) -> Outcome {
    let settings = settings(global)?;
    let evaluators = evaluators(args, &settings).await?;
    let whole = ask(&evaluators, args, tags, &settings).await?;
    if whole.groups.is_empty() {
        return Err(nothing(&whole, args, tags));
    }
    let groups = || whole.groups.iter();
    match global.output {
        Output::Table => groups().for_each(|group| print::text(&group.text)),
        output => {
            let all: Vec<Value> = groups().map(|group| group.state.clone()).collect();
            print::values(&all, output);
        }
    }
    let mut said = format!("{} groups", whole.groups.len());
    if let Some(revision) = whole.revision {
        said.push_str(&format!(" under revision {revision}"));
    }
    if whole.more > 0 {
        said.push_str(&format!(
            "; {} more are not shown: name more tags",
            whole.more
        ));
    }
    if !whole.missing().is_empty() && home(&whole, tags).is_none() {
        let missing = whole.missing().join(", ");
        said.push_str(&format!("; nobody answered for partition {missing}"));
    }
    print::message(&said);
    Ok(())
}

/// Where evaluators are: those that are named, else that of the running `up`.
async fn evaluators(args: &Args, settings: &Settings) -> Outcome<Vec<String>> {
    if !args.evaluator.is_empty() {
        let mut all = Vec::new();
        for url in &args.evaluator {
            all.extend(replicas(url).await?);
        }
        return Ok(all);
    }
    let running = running_process(settings).await?;
    let address = running.and_then(|(running, _)| running.evaluator);
    address.map(|address| vec![address]).ok_or_else(|| {
        Failure::new(Exit::Unreachable, "which evaluators are asked").hint(
            "name them with --evaluator http://HOST:8188 (a name of many addresses is all of them), \
             start `bongsu up`, or give --points FILE to ask a file",
        )
    })
}

/// A name that stands for many addresses, as a headless service's does, is all of its replicas.
async fn replicas(url: &str) -> Outcome<Vec<String>> {
    let wrong = |why: String| Failure::new(Exit::Usage, format!("`{url}` is no address: {why}"));
    let parsed = reqwest::Url::parse(url).map_err(|error| wrong(error.to_string()))?;
    let (Some(host), Some(port)) = (parsed.host_str(), parsed.port_or_known_default()) else {
        return Err(wrong("write http://HOST:PORT".to_owned()));
    };
    // A certificate is of the name.
    if parsed.scheme() != "http" {
        return Ok(vec![url.trim_end_matches('/').to_owned()]);
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.map_err(|error| {
        Failure::new(Exit::Unreachable, format!("cannot find `{host}`: {error}"))
    })?;
    let addresses: BTreeSet<String> = found.map(|address| format!("http://{address}")).collect();
    Ok(addresses.into_iter().collect())
}

async fn ask(
    evaluators: &[String],
    args: &Args,
    tags: &[(String, String)],
    settings: &Settings,
) -> Outcome<Whole> {
    let http = crate::demo::client().map_err(|error| Failure::new(Exit::Failed, error))?;
    let token = settings.evaluator.operator_token_file.as_deref();
    let token = token.map(Secret::from_file).transpose();
    let token = token.map_err(|error| Failure::from_error(Exit::Auth, &error))?;
    let question = json!({
        "tenant": args.tenant.as_deref().unwrap_or(TENANT),
        "template": args.template,
        "tags": tags.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
    });
    let (mut whole, mut failures) = (Whole::default(), Vec::new());
    for evaluator in evaluators {
        let mut request = http.post(format!("{evaluator}/explain")).json(&question);
        if let Some(token) = &token {
            request = request.bearer_auth(token.expose());
        }
        match answer(request).await {
            Ok(answer) => whole.add(answer),
            Err(failure) => failures.push((evaluator, failure)),
        }
    }
    let told = failures
        .iter()
        .map(|(at, failure)| format!("{at}: {}", failure.cause));
    let told = told.collect::<Vec<_>>().join("\n");
    match failures.into_iter().next() {
        Some((_, failure)) if whole.held.is_empty() => Err(Failure::new(failure.exit, told)),
        Some(_) => {
            print::message(&told);
            Ok(whole)
        }
        None => Ok(whole),
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Outcome<Answer> {
    let unreachable = |error: reqwest::Error| Failure::from_error(Exit::Unreachable, &error);
    let answer = request.send().await.map_err(unreachable)?;
    let status = answer.status();
    if status.is_success() {
        return answer.json().await.map_err(unreachable);
    }
    let why = answer.text().await.map_err(unreachable)?;
    let exit = match status.as_u16() {
        401 => Exit::Auth,
        _ => Exit::Failed,
    };
    Err(Failure::new(exit, format!("{status}: {}", why.trim_end())))
}

/// The partition of the host that is named.
fn home(whole: &Whole, tags: &[(String, String)]) -> Option<u32> {
    let (_, host) = tags.iter().find(|(key, _)| key == "host")?;
    let partitions = Some(whole.partitions).filter(|n| *n > 0)?;
    Some(model::host_partition(host.as_bytes(), partitions))
}

/// Why no group was found.
fn nothing(whole: &Whole, args: &Args, tags: &[(String, String)]) -> Failure {
    let tenant = args.tenant.as_deref().unwrap_or(TENANT);
    if whole.held.is_empty() && whole.busy.is_empty() {
        return Failure::new(
            Exit::Findings,
            format!("no evaluator that was asked holds a partition of `{tenant}`"),
        )
        .hint(
            "`bongsu tenant list` names the tenants; other evaluators are named with --evaluator",
        );
    }
    if !whole.templates.is_empty() && !whole.templates.contains(&args.template) {
        let names: Vec<&str> = whole.templates.iter().map(String::as_str).collect();
        let what = format!("`{tenant}` has no template `{}`", args.template);
        return Failure::new(Exit::Usage, what).hint(format!("templates: {}", names.join(", ")));
    }
    match home(whole, tags) {
        Some(home) if !whole.held.contains(&home) => Failure::new(
            Exit::Findings,
            format!(
                "partition {home}, where that host is at home, is {}",
                if whole.busy.contains(&home) {
                    "too busy to answer: try again"
                } else {
                    "held by no evaluator that was asked: name the others with --evaluator"
                }
            ),
        ),
        _ => Failure::new(
            Exit::Findings,
            format!("no group of `{}` has these tags", args.template),
        )
        .hint(
            "a group is known from its first point on; `bongsu template lint DIR --running` says why a template \
             matches no series",
        ),
    }
}
