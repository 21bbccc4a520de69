//! Whether the phones that stand in policies were verified, as a running notifier knows it.

use super::Finding;
use crate::settings::Settings;
use runtime::Secret;
use serde_json::Value;

/// What the notifier says; none when it does not answer, which its own check tells.
pub(super) async fn phones(settings: &Settings, base: &str) -> Option<Finding> {
    let token = settings.notifier.api_token_file.as_ref();
    let token = token.and_then(|path| Secret::from_file(path).ok());
    let mut request = crate::demo::client()
        .ok()?
        .get(format!("{base}/api/v1/contacts"));
    if let Some(token) = &token {
        request = request.bearer_auth(token.expose());
    }
    let answer = request.send().await.ok()?.error_for_status().ok()?;
    Some(finding(&answer.json().await.ok()?))
}

fn finding(answer: &Value) -> Finding {
    let open = |one: &&Value| {
        one["paged"] == true && one["phone"].is_string() && one["verified_at"].is_null()
    };
    let contacts = answer["contacts"].as_array().into_iter().flatten();
    let names: Vec<&str> = contacts
        .filter(open)
        .filter_map(|one| one["contact"].as_str())
        .collect();
    let detail = match names.as_slice() {
        [] => "every phone that stands in a policy is verified".to_owned(),
        names => format!(
            "not verified, and paged all the same: {}; `bongsu notify verify NAME` sends a code",
            names.join(", ")
        ),
    };
    Finding::good("contacts", "phones", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_phone_in_a_policy_that_nobody_verified_is_named() {
        let one = |name: &str, paged: bool, verified: Option<&str>| json!({"contact": name, "phone": "+82", "paged": paged, "verified_at": verified});
        let answer = json!({"contacts": [
            one("kim", true, None), one("lee", true, Some("2026-11-21T00:00:00Z")), one("park", false, None),
            {"contact": "room", "phone": null, "paged": true, "verified_at": null},
        ]});
        let said = finding(&answer).state.expect("no fault");
        assert!(said.contains("paged all the same: kim;"), "{said}");
        let said = finding(&json!({"contacts": []})).state.expect("no fault");
        assert!(said.starts_with("every phone"), "{said}");
    }
}
