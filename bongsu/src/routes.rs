//! Every route of every service, with the rule that says who may use it.

use runtime::Declared;

/// Each service, or part of every service, with the table of its routes.
pub fn all() -> Vec<(&'static str, Vec<Declared>)> {
    vec![
        ("every service", runtime::http::skeleton_table()),
        ("router", router::routes()),
        ("evaluator", evaluator::routes()),
        ("notifier", notifier::io::http::table()),
        (
            "`bongsu up`, for commands of the same machine",
            crate::control::declared(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    /// docs/routes.md as the tables say it.
    fn page() -> String {
        let mut text = String::from(
            "# Routes, and who may use them\n\n\
             Written by `BLESS=1 cargo test -p bongsu --lib routes` from the tables that the routers are built from; a server \
             takes nothing but such a table,\nso a route without a rule does not compile. What answers GET answers HEAD as well; \
             the consumer has what every service has.\n\n\
             `viewer`, `responder`, `operator` and `admin` are roles in the tenant that a request is about: each may what those \
             before it may. What a\nperson or token may not see does not exist for them.\n",
        );
        for (service, table) in all() {
            writeln!(
                text,
                "\n## {}{}\n",
                service[..1].to_uppercase(),
                &service[1..]
            )
            .unwrap();
            text.push_str("| method | path | who may | against forgery |\n|---|---|---|---|\n");
            for Declared { method, path, rule } in table {
                let forgery = rule.against_forgery(method);
                writeln!(text, "| {method} | `{path}` | {rule} | {forgery} |").unwrap();
            }
        }
        text
    }

    #[test]
    fn the_documentation_shows_every_route() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/routes.md");
        let fresh = page();
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, &fresh).unwrap();
            return;
        }
        let known = std::fs::read_to_string(path).unwrap();
        let how = "write it anew: BLESS=1 cargo test -p bongsu --lib routes";
        assert!(known == fresh, "{how}");
    }

    #[test]
    fn no_route_stands_twice_and_only_forms_and_programs_change_what_roles_decide() {
        for (service, table) in all() {
            let mut seen = BTreeSet::new();
            for Declared { method, path, rule } in table {
                assert!(seen.insert((method, path)), "{service}: {method} {path}");
                let reads = matches!(rule, runtime::Rule::Page(_));
                assert!(
                    !reads || method == "GET",
                    "{service}: {method} {path} is no page"
                );
                let forms = matches!(rule, runtime::Rule::Form(_));
                assert!(
                    !forms || method == "POST",
                    "{service}: {method} {path} is no form"
                );
            }
        }
    }
}
