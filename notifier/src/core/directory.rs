//! Who is paged how: the catalogue's tenants, policies and contacts in the form that decisions use.

use super::around::{Around, NOTHING};
use super::duty::Roster;
use super::incident::{Incident, Told};
use super::message::Recipient;
use super::own_rules::OwnRule;
use super::silence::Silences;
use super::words::{ChannelKind, Language};
use model::{Priority, Span, TenantId};
use schemas::catalogue::{self, StepTarget};
use std::collections::{BTreeMap, BTreeSet};

/// The policy that stands in where the tenant's own is missing.
const DEFAULT_POLICY: &str = "default";

/// Where the catalogue says nothing.
const P1_WITHIN: Span = Span::from_secs(15 * 60);
const P2_WITHIN: Span = Span::from_secs(60 * 60);

/// People and policies of one revision of the catalogue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    /// Policy by tenant.
    pub tenants: BTreeMap<TenantId, String>,
    /// What is said of a tenant's incidents beside its policy, where something is.
    pub care: BTreeMap<TenantId, Care>,
    /// Policies by name.
    pub policies: BTreeMap<String, Policy>,
    /// Contacts by name.
    pub people: BTreeMap<String, Person>,
    /// Schedules and teams.
    pub roster: Roster,
    /// Channels that have a provider.
    pub channels: BTreeSet<ChannelKind>,
}

/// Who is told first, and who when nobody acknowledges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The room that sees every incident.
    pub room: Option<String>,
    /// Other places that see every incident.
    pub rooms: Vec<(ChannelKind, String)>,
    /// The channels of P1, P2 and P3.
    pub channels: [Vec<ChannelKind>; 3],
    /// How long P1, P2 and P3 may stay without an acknowledgement; none: no escalation.
    pub within: [Option<Span>; 3],
    /// The steps.
    pub steps: Vec<Step>,
    /// How often they begin again.
    pub repeat: u32,
    /// What ends it.
    pub ends: Ends,
}

pub use catalogue::Ends;

/// Who takes care of a tenant's incidents, beside its policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Care {
    /// Where some go instead; the first that fits holds.
    pub routing: Vec<Rule>,
    /// Which explain others.
    pub dependencies: Vec<Dependency>,
    /// Which belong together.
    pub grouping: Option<Grouping>,
}

/// Which incidents are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// Of this template.
    pub template: Option<String>,
    /// Of one of these priorities; none is any.
    pub priority: Vec<Priority>,
    /// With these tags.
    pub tags: BTreeMap<String, String>,
    /// With this text in title or reason.
    pub text: Option<String>,
}

/// Where some incidents go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which.
    pub when: Selector,
    /// Where to.
    pub to: RouteTo,
}

/// Where a rule leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteTo {
    /// To another policy.
    Policy(String),
    /// To a policy of one step, by the channels of the tenant's own.
    Step(Box<Policy>),
    /// To nobody.
    Nobody,
}

/// Incidents that others explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// Template of the one that explains.
    pub on: String,
    /// Which it explains.
    pub hides: Selector,
    /// Tags with the same value in both.
    pub same: Vec<String>,
}

/// Incidents that page together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouping {
    /// `template`, or tags.
    pub by: Vec<String>,
    /// How long the first waits.
    pub wait: Span,
    /// How often those who joined are told.
    pub interval: Span,
    /// Up to so many are told by name.
    pub cap: u32,
}

/// One step of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Who is told.
    pub notify: Vec<StepTarget>,
    /// The time after the step before; none: the priority's time to acknowledge.
    pub after: Option<Span>,
    /// By these channels; empty: by those of the priority.
    pub channels: Vec<ChannelKind>,
}

/// A contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// What people call them.
    pub name: String,
    /// What they read.
    pub language: Language,
    /// Member id in the chat.
    pub chat: Option<String>,
    /// Id of their chat with the bot of Telegram.
    pub telegram: Option<String>,
    /// Phone number, E.164.
    pub phone: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Their own rules for P1, P2 and P3; empty: the channels of the policy.
    pub own_rules: [Vec<OwnRule>; 3],
}

/// The way of one incident's pages.
#[derive(Debug, Clone, Copy)]
pub struct Route<'a> {
    /// Everybody there is.
    pub directory: &'a Directory,
    /// The policy that holds.
    pub policy: Option<&'a Policy>,
    /// What is wrong with the way, if something is.
    pub problem: Option<Problem<'a>>,
    /// What is silenced.
    pub silences: &'a Silences,
    /// The rule that chose it, from 1, where one did.
    pub rule: Option<usize>,
    /// A rule says that nobody is told.
    pub nobody: bool,
    /// What is open beside the incident.
    pub around: &'a Around,
}

/// What is wrong with a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem<'a> {
    /// The tenant is not in the catalogue.
    #[error("tenant `{0}` is not in the catalogue; the policy `default` stands in")]
    NoTenant(&'a TenantId),
    /// Its policy is not.
    #[error("escalation policy `{0}` is not in the catalogue; the policy `default` stands in")]
    NoPolicy(&'a str),
    /// Neither is the one that stands in.
    #[error("neither escalation policy `{0}` nor `default` is in the catalogue")]
    NothingAtAll(&'a str),
}

const fn index(priority: Priority) -> usize {
    match priority {
        Priority::P1 => 0,
        Priority::P2 => 1,
        Priority::P3 => 2,
    }
}

impl Policy {
    /// The channels of that priority.
    pub fn channels(&self, priority: Priority) -> &[ChannelKind] {
        &self.channels[index(priority)]
    }
}

impl Directory {
    /// Takes what this service needs out of the catalogue.
    pub fn of(catalogue: &catalogue::Catalogue, channels: BTreeSet<ChannelKind>) -> Self {
        let tenants = catalogue.tenants.iter();
        let policies = catalogue.escalation_policies.iter();
        let people = catalogue.contacts.iter();
        Self {
            tenants: tenants
                .map(|(id, tenant)| (id.clone(), tenant.escalation_policy.clone()))
                .collect(),
            care: care(catalogue),
            policies: policies
                .map(|(name, policy)| (name.clone(), Policy::from(&**policy)))
                .collect(),
            people: people
                .map(|(name, contact)| (name.clone(), Person::from(&**contact)))
                .collect(),
            roster: Roster::of(catalogue),
            channels,
        }
    }

    /// The way of a tenant's pages.
    pub fn route<'a>(&'a self, tenant: &'a TenantId) -> Route<'a> {
        let wanted = self.tenants.get(tenant).map(String::as_str);
        let name = wanted.unwrap_or(DEFAULT_POLICY);
        let own = self.policies.get(name);
        let policy = own.or_else(|| self.policies.get(DEFAULT_POLICY));
        let problem = match (wanted, own, policy) {
            (_, _, None) => Some(Problem::NothingAtAll(name)),
            // Bongsu's own health is everybody's: undeclared, it goes to the policy that stands in.
            (None, _, Some(_)) if tenant.as_str() == catalogue::SYSTEM_TENANT => None,
            (None, _, Some(_)) => Some(Problem::NoTenant(tenant)),
            (Some(_), None, Some(_)) => Some(Problem::NoPolicy(name)),
            (Some(_), Some(_), Some(_)) => None,
        };
        Route {
            directory: self,
            policy,
            problem,
            silences: Silences::NONE,
            rule: None,
            nobody: false,
            around: &NOTHING,
        }
    }

    /// The way of one incident's pages: the tenant's, or that of the first rule that takes it.
    pub fn route_for<'a>(&'a self, incident: &'a Incident, around: &'a Around) -> Route<'a> {
        let mut route = self.route(&incident.tenant);
        route.around = around;
        let rules = self.care.get(&incident.tenant);
        let mut rules = rules
            .map_or(&[][..], |care| &care.routing)
            .iter()
            .enumerate();
        let found = rules.find(|(_, rule)| {
            // A P1 is never routed to nobody.
            let nobody = rule.to == RouteTo::Nobody && incident.priority == Priority::P1;
            !nobody && rule.when.takes(incident)
        });
        let Some((n, rule)) = found else { return route };
        route.rule = Some(n + 1);
        match &rule.to {
            RouteTo::Nobody => route.nobody = true,
            RouteTo::Step(policy) => {
                route.policy = Some(policy);
                route.problem = None;
            }
            RouteTo::Policy(name) => match self.policies.get(name) {
                Some(policy) => {
                    route.policy = Some(policy);
                    route.problem = None;
                }
                None => route.problem = Some(Problem::NoPolicy(name)),
            },
        }
        route
    }

    /// The contact whose member id in the chat, or in Telegram, this is; the one has letters and the
    /// other has none.
    pub fn by_member(&self, member: &str) -> Option<(&str, &Person)> {
        let known = |person: &Person| {
            [&person.chat, &person.telegram]
                .into_iter()
                .any(|id| id.as_deref() == Some(member))
        };
        self.people
            .iter()
            .find(|(_, person)| known(person))
            .map(|(name, person)| (name.as_str(), person))
    }
}

impl Route<'_> {
    /// The places beside the chat room that see every incident, as far as they have a provider.
    pub(super) fn rooms(&self) -> Vec<Told> {
        let rooms = self.policy.map_or(&[][..], |policy| &policy.rooms);
        let configured = rooms
            .iter()
            .filter(|(channel, _)| self.directory.channels.contains(channel));
        configured
            .map(|(channel, name)| Told {
                channel: *channel,
                recipient: super::people::room(name),
            })
            .collect()
    }

    /// How long an incident of that priority may stay without an acknowledgement.
    pub fn within(&self, priority: Priority) -> Option<Span> {
        let own = self
            .policy
            .and_then(|policy| policy.within[index(priority)]);
        let fallback = match priority {
            Priority::P1 => Some(P1_WITHIN),
            Priority::P2 => Some(P2_WITHIN),
            Priority::P3 => None,
        };
        own.or(fallback)
    }
}

impl Person {
    /// Their own rules for that priority.
    pub fn own_rules(&self, priority: Priority) -> &[OwnRule] {
        &self.own_rules[index(priority)]
    }

    /// The address on that channel.
    pub fn address(&self, channel: ChannelKind) -> Option<&str> {
        match channel {
            ChannelKind::Chat => self.chat.as_deref(),
            ChannelKind::Sms | ChannelKind::Voice | ChannelKind::Alimtalk => self.phone.as_deref(),
            ChannelKind::Email => self.email.as_deref(),
            ChannelKind::Telegram => self.telegram.as_deref(),
            // Places, not people.
            ChannelKind::Webhook
            | ChannelKind::Teams
            | ChannelKind::Pagerduty
            | ChannelKind::Opsgenie => None,
        }
    }

    /// As a recipient on that channel, where they have an address.
    pub fn recipient(&self, contact: &str, channel: ChannelKind) -> Option<Recipient> {
        self.address(channel).map(|address| Recipient {
            contact: Some(contact.to_owned()),
            name: self.name.clone(),
            language: self.language,
            address: address.to_owned(),
        })
    }
}

impl From<&catalogue::Contact> for Person {
    fn from(contact: &catalogue::Contact) -> Self {
        Self {
            name: contact.name.clone(),
            language: match contact.language {
                catalogue::Language::Ko => Language::Ko,
                catalogue::Language::En => Language::En,
            },
            chat: contact.slack.clone(),
            telegram: contact.telegram.clone(),
            phone: contact.phone.clone(),
            email: contact.email.clone(),
            own_rules: Priority::ALL.map(|priority| own_rules(contact, priority)),
        }
    }
}

fn own_rules(contact: &catalogue::Contact, priority: Priority) -> Vec<OwnRule> {
    let rules = contact.rules.get(priority).into_iter().flatten();
    let rules = rules.map(|rule| OwnRule {
        by: rule
            .by
            .iter()
            .map(|kind| ChannelKind::from(*kind))
            .collect(),
        after: rule.after.unwrap_or(Span::ZERO),
    });
    rules.collect()
}

/// What the tenants of a catalogue say beside their policy.
fn care(catalogue: &catalogue::Catalogue) -> BTreeMap<TenantId, Care> {
    let tenants = catalogue.tenants.iter();
    let care = tenants.map(|(id, tenant)| {
        let own = catalogue
            .escalation_policies
            .get(&tenant.escalation_policy)
            .or_else(|| catalogue.escalation_policies.get(DEFAULT_POLICY));
        let rules = tenant.routing.iter().map(|rule| Rule {
            when: Selector::from(&rule.when),
            to: match &rule.to {
                catalogue::RouteTarget::Nobody => RouteTo::Nobody,
                catalogue::RouteTarget::Policy(name) => RouteTo::Policy(name.clone()),
                catalogue::RouteTarget::To(target) => {
                    RouteTo::Step(Box::new(one_step(own.map(|own| &**own), target)))
                }
            },
        });
        let dependencies = tenant.dependencies.iter().map(|each| Dependency {
            name: each.dependency.clone(),
            on: each.on.clone(),
            hides: Selector::from(&each.hides),
            same: each.same.clone(),
        });
        let grouping = tenant.grouping.as_ref().map(|grouping| Grouping {
            by: grouping.by.clone(),
            wait: grouping.wait,
            interval: grouping.interval,
            cap: grouping.cap,
        });
        let care = Care {
            routing: rules.collect(),
            dependencies: dependencies.collect(),
            grouping,
        };
        (id.clone(), care)
    });
    care.filter(|(_, care)| *care != Care::default()).collect()
}

/// A policy of one step, otherwise like `own`.
fn one_step(own: Option<&catalogue::EscalationPolicy>, target: &StepTarget) -> Policy {
    let step = Step {
        notify: vec![target.clone()],
        after: None,
        channels: Vec::new(),
    };
    let like = own.map_or_else(
        || Policy {
            room: None,
            rooms: Vec::new(),
            channels: Priority::ALL.map(|_| vec![ChannelKind::Sms, ChannelKind::Chat]),
            within: [None; 3],
            steps: Vec::new(),
            repeat: 0,
            ends: Ends::Acknowledged,
        },
        Policy::from,
    );
    Policy {
        steps: vec![step],
        ..like
    }
}

impl From<&catalogue::Selector> for Selector {
    fn from(selector: &catalogue::Selector) -> Self {
        Self {
            template: selector.template.clone(),
            priority: selector.priority.iter().map(|word| word.0).collect(),
            tags: selector.tags.clone(),
            text: selector.text.clone(),
        }
    }
}

impl From<&catalogue::EscalationPolicy> for Policy {
    fn from(policy: &catalogue::EscalationPolicy) -> Self {
        let channels = |priority| {
            let given = policy.channels_of(priority).iter();
            given.map(|channel| ChannelKind::from(*channel)).collect()
        };
        let steps = policy.steps.iter().map(|step| Step {
            notify: step.notify.clone(),
            after: step.after,
            channels: step
                .channels
                .iter()
                .map(|kind| ChannelKind::from(*kind))
                .collect(),
        });
        let within = policy.acknowledge_within;
        Self {
            room: policy.chat.clone(),
            rooms: (policy.rooms.iter())
                .map(|room| (room.channel.into(), room.name.clone()))
                .collect(),
            channels: Priority::ALL.map(channels),
            within: [within.p1, within.p2, within.p3],
            steps: steps.collect(),
            repeat: u32::from(policy.repeat),
            ends: policy.ends,
        }
    }
}

impl From<catalogue::ChannelKind> for ChannelKind {
    fn from(kind: catalogue::ChannelKind) -> Self {
        match kind {
            catalogue::ChannelKind::Chat => Self::Chat,
            catalogue::ChannelKind::Sms => Self::Sms,
            catalogue::ChannelKind::Voice => Self::Voice,
            catalogue::ChannelKind::Email => Self::Email,
            catalogue::ChannelKind::Alimtalk => Self::Alimtalk,
            catalogue::ChannelKind::Webhook => Self::Webhook,
            catalogue::ChannelKind::Teams => Self::Teams,
            catalogue::ChannelKind::Telegram => Self::Telegram,
            catalogue::ChannelKind::Pagerduty => Self::Pagerduty,
            catalogue::ChannelKind::Opsgenie => Self::Opsgenie,
        }
    }
}
