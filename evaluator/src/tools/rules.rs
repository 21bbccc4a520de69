//! The rules of a folder: its templates and overrides as one bundle of one tenant.

use crate::core::{Plan, PlanError, unreadable_tests};
use model::TenantId;
use schemas::catalogue::{
    Bundle, BundleContent, Catalogue, CatalogueError, Entry, Evaluation, Kind, Located, Template,
    check_catalogue, extended_template, locate, parse_yaml, shipped_templates,
};

/// The tenant where neither the command nor the files name one.
const TENANT: &str = "default";

/// What a folder declares, checked as a whole.
#[derive(Debug, Clone)]
pub struct Rules {
    located: Vec<Located<Entry>>,
    bundle: Bundle,
}

impl Rules {
    /// Reads the files of a folder, each a name and its text, for `tenant`; left out, the one
    /// tenant that they declare. Only templates of the files are in force; a base that `extends`
    /// names may be a shipped one. All errors are told.
    pub fn read(
        files: &[(String, String)],
        tenant: Option<TenantId>,
    ) -> Result<Self, Vec<CatalogueError>> {
        let located = parse(files)?;
        let errors = check(&located);
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self::of(located, tenant))
    }

    /// The shipped templates for a tenant.
    pub fn shipped(tenant: Option<TenantId>) -> Self {
        let content = content(shipped_templates().to_vec(), &[], None);
        let tenant = tenant.unwrap_or_else(default_tenant);
        Self {
            located: Vec::new(),
            bundle: Bundle::new(tenant, 1, content),
        }
    }

    /// The rules of a bundle, as it stands in a catalogue.
    pub fn of_bundle(bundle: Bundle) -> Self {
        Self {
            located: Vec::new(),
            bundle,
        }
    }

    /// What the files declare.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.located.iter().map(|located| &located.value)
    }

    fn of(located: Vec<Located<Entry>>, tenant: Option<TenantId>) -> Self {
        let declared: Vec<_> = located
            .iter()
            .filter_map(|l| match &l.value {
                Entry::Tenant(tenant) => Some(tenant),
                _ => None,
            })
            .collect();
        let only = match declared.as_slice() {
            [one] => Some(one.tenant.clone()),
            _ => None,
        };
        let tenant = tenant.or(only).unwrap_or_else(default_tenant);
        let own = declared.iter().find(|d| d.tenant == tenant);
        let mut content = content(
            templates(&located),
            own.map_or(&[], |own| own.inventory.as_slice()),
            own.map(|own| own.evaluation),
        );
        for each in &located {
            if let Entry::Override(each) = &each.value
                && each.for_.can_apply_to(&tenant)
            {
                content.overrides.push((**each).clone());
            }
        }
        Self {
            located,
            bundle: Bundle::new(tenant, 1, content),
        }
    }

    /// Whose points are judged.
    pub fn tenant(&self) -> &TenantId {
        &self.bundle.tenant
    }

    /// The templates, `extends` applied.
    pub fn templates(&self) -> &[Template] {
        &self.bundle.content.templates
    }

    /// The bundle.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// What the files declare, with where each key stands; nothing for the shipped ones.
    pub fn located(&self) -> &[Located<Entry>] {
        &self.located
    }

    /// The rules compiled, or what is wrong with them and where it stands.
    pub fn plan(&self) -> Result<Plan, Vec<CatalogueError>> {
        Plan::compile(&self.bundle)
            .map_err(|errors| errors.into_iter().map(|error| self.at(error)).collect())
    }

    /// An error of the engine at its place in the files.
    fn at(&self, error: PlanError) -> CatalogueError {
        let (name, key) = error.place.split_once(", ").unwrap_or((&error.place, ""));
        let stands = |l: &&Located<Entry>| {
            name.split_once(' ').is_some_and(|(kind, name)| {
                l.value.kind().as_str() == kind && l.value.name() == name
            })
        };
        let Some(located) = self.located.iter().find(stands) else {
            return CatalogueError {
                file: error.place,
                line: 0,
                column: 0,
                what: error.what,
                hint: None,
            };
        };
        // An override names its template first.
        let key = key.rsplit_once(", ").map_or(key, |(_, key)| key);
        let path = match located.value.kind() {
            Kind::Override => format!("set.{key}"),
            _ => key.to_owned(),
        };
        let (line, column) = located
            .places
            .find(&path)
            .unwrap_or((located.line, located.column));
        CatalogueError {
            file: located.file.clone(),
            line,
            column,
            what: error.what,
            hint: None,
        }
    }
}

fn default_tenant() -> TenantId {
    TenantId::parse(TENANT).expect("a tenant's id of plain letters is read")
}

fn content(
    templates: Vec<Template>,
    inventory: &[String],
    evaluation: Option<Evaluation>,
) -> BundleContent {
    let Evaluation { tick, lateness } = evaluation.unwrap_or_default();
    let mut inventory = inventory.to_vec();
    inventory.sort_unstable();
    inventory.dedup();
    BundleContent {
        templates,
        overrides: Vec::new(),
        inventory,
        partitions: 1,
        tick,
        lateness,
    }
}

fn parse(files: &[(String, String)]) -> Result<Vec<Located<Entry>>, Vec<CatalogueError>> {
    let (mut good, mut wrong) = (Vec::new(), Vec::new());
    for (name, text) in files {
        match parse_yaml(name, text) {
            Ok(entries) => good.extend(entries),
            Err(errors) => wrong.extend(errors),
        }
    }
    if wrong.is_empty() {
        Ok(good)
    } else {
        Err(wrong)
    }
}

/// What the rules of the files say about each other that does not hold. People and placement are
/// not asked for: they decide nothing here.
fn check(located: &[Located<Entry>]) -> Vec<CatalogueError> {
    let mut catalogue = Catalogue::default();
    for each in located {
        catalogue.insert(each.value.clone());
    }
    let flaws = check_catalogue(&catalogue)
        .into_iter()
        .filter(|flaw| matches!(flaw.kind, Kind::Template | Kind::Override))
        .collect();
    let mut errors = locate(flaws, located);
    errors.extend(located.iter().flat_map(wrong_tests));
    for (n, each) in located.iter().enumerate() {
        let same = |other: &&Located<Entry>| other.value.key() == each.value.key();
        if let Some(first) = located[..n].iter().find(same) {
            errors.push(CatalogueError {
                file: each.file.clone(),
                line: each.line,
                column: each.column,
                what: format!(
                    "{} `{}` is declared in {}:{} already",
                    each.value.kind(),
                    each.value.name(),
                    first.file,
                    first.line
                ),
                hint: None,
            });
        }
    }
    errors
}

/// Tests of a template that say what nobody can do.
fn wrong_tests(located: &Located<Entry>) -> Vec<CatalogueError> {
    let Entry::Template(template) = &located.value else {
        return Vec::new();
    };
    let of_test = |(n, what): (usize, String)| {
        let spot = located.places.find(&format!("tests[{n}].given"));
        let (line, column) = spot.unwrap_or((located.line, located.column));
        CatalogueError {
            file: located.file.clone(),
            line,
            column,
            what,
            hint: None,
        }
    };
    unreadable_tests(template)
        .into_iter()
        .map(of_test)
        .collect()
}

/// The templates of the files, with what they inherit.
fn templates(located: &[Located<Entry>]) -> Vec<Template> {
    let written = || {
        located.iter().filter_map(|l| match &l.value {
            Entry::Template(template) => Some(&**template),
            _ => None,
        })
    };
    let whole = |template: &Template| {
        let base = template.extends.as_ref().and_then(|base| {
            written()
                .chain(shipped_templates())
                .find(|known| known.template == *base)
        });
        base.map_or_else(
            || template.clone(),
            |base| extended_template(template, base),
        )
    };
    written().map(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Rules, Vec<String>> {
        Rules::read(&[("rules.yaml".to_owned(), text.to_owned())], None)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    const CPU: &str = "template: cpu\napplies_to: {measurement: cpu}\ncheck: usage\n\
                       over: last of 1m\nlevels:\n  P1: {above: 90}\n";

    #[test]
    fn a_folder_is_a_bundle_of_its_one_tenant() {
        let text = format!("{CPU}---\ntenant: acme\nevaluation: {{lateness: 5s}}\n");
        let rules = read(&text).unwrap();
        assert_eq!(rules.tenant().as_str(), "acme");
        assert_eq!(rules.plan().unwrap().lateness(), model::Span::from_secs(5));
        assert_eq!(read(CPU).unwrap().tenant().as_str(), "default");
    }

    #[test]
    fn a_base_may_be_shipped_and_is_not_in_force_itself() {
        let text = "template: mine\nextends: cpu-usage\nlevels:\n  P1: {above: 95}\n";
        let rules = read(text).unwrap();
        let names: Vec<&str> = rules.templates().iter().map(|t| &*t.template).collect();
        assert_eq!(names, ["mine"]);
        rules.plan().unwrap();
    }

    #[test]
    fn an_error_of_the_engine_names_file_line_and_column() {
        let text = CPU.replace("check: usage", "check: usage +");
        let errors = read(&text).unwrap().plan().unwrap_err();
        assert_eq!((errors[0].line, errors[0].column), (3, 1), "{errors:?}");
        assert_eq!(errors[0].file, "rules.yaml");
    }

    #[test]
    fn a_test_that_cannot_be_read_is_told_where_it_stands() {
        let tests = "tests:\n  - {given: \"95 for 3m\", expect: P1}\n  - {given: \"95 fro 3m\", expect: P1}\n";
        let errors = read(&format!("{CPU}{tests}")).unwrap_err();
        let start = "rules.yaml:9:6: `95 fro 3m` is not understood: write `95 for 11m`";
        assert!(errors[0].starts_with(start), "{errors:?}");
    }

    #[test]
    fn a_name_that_is_declared_twice_is_told() {
        let errors = read(&format!("{CPU}---\n{CPU}")).unwrap_err();
        assert_eq!(
            errors,
            ["rules.yaml:8:1: template `cpu` is declared in rules.yaml:1 already"]
        );
    }
}
