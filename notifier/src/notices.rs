//! What is said to people beside incidents: a test, a code that proves whose a phone is, a hand-over.

use crate::commands::{CommandError, Commands, Filter, Page};
use crate::core::{
    ChannelKind, HandOver, NAMED, NotVerified, Notice, Open, Said, Status, code_text, hand_overs,
    test_text,
};
use crate::engine::{Effects, Engine};
use crate::io::store::StoreError;
use model::{IncidentId, InvalidName, Priority, Span, TenantId, Timestamp};
use runtime::Shutdown;
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use std::sync::Arc;

/// Whose the incidents are that carry notices.
pub const NOTICE_TENANT: &str = "bongsu-system";
/// How often hand-overs are looked for.
const LOOK_EVERY: Span = Span::from_secs(15);
/// A hand-over that a notifier which was down has missed is still told so long after.
const LOOK_BACK: Span = Span::from_secs(15 * 60);
/// Incidents read to name the most urgent.
const READ: u32 = 500;

/// Why a notice was not sent, or a code not taken.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// There is no such contact.
    #[error("contact `{0}` is not in the catalogue")]
    NoContact(String),
    /// There is no number to prove.
    #[error("contact `{0}` has no phone")]
    NoPhone(String),
    /// A code goes to the phone itself.
    #[error("a code goes by sms, voice or alimtalk, not by {0}")]
    NotByPhone(ChannelKind),
    /// No provider.
    #[error("no provider of {0} is configured")]
    NoProvider(ChannelKind),
    /// The code is not taken.
    #[error(transparent)]
    NotVerified(#[from] NotVerified),
    /// The machine gives no random numbers.
    #[error("no random numbers for a code: {0}")]
    Random(String),
    /// The name of the tenant of notices is none.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A contact, and what is known of their phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactState {
    /// Its name in the catalogue.
    pub contact: String,
    /// What people call them.
    pub name: String,
    /// The number.
    pub phone: Option<String>,
    /// When it was verified, and by whom; none where it was not, or another was.
    pub verified: Option<(Timestamp, String)>,
    /// Whether a policy may page them: a step, a schedule or a team of one names them.
    pub is_paged: bool,
}

impl Commands {
    /// Sends a test to a contact, through the outbox as every page: by these channels, or by every one that reaches them. Its fate
    /// is that of the incident's deliveries.
    pub async fn test_page(
        &self,
        contact: &str,
        by: Vec<ChannelKind>,
        asker: &str,
    ) -> Result<IncidentId, NoticeError> {
        let directory = self.engine().people.directory();
        let person = directory.people.get(contact);
        let person = person.ok_or_else(|| NoticeError::NoContact(contact.to_owned()))?;
        let notice = Notice {
            key: format!("test/{contact}"),
            title: format!("Test page to {}", person.name),
            title_ko: format!("{} 님 시험 발송", person.name),
            why: format!("a test page to {}, asked for by {asker}", person.name),
            to: vec![Said {
                contact: contact.to_owned(),
                by,
                text: test_text(person.language).to_owned(),
            }],
        };
        self.engine().say(&notice, self.now()).await
    }

    /// Sends a code to a contact's phone. Until when it is good, and the incident whose delivery shows what became of it.
    pub async fn send_code(
        &self,
        contact: &str,
        by: ChannelKind,
        asker: &str,
    ) -> Result<(IncidentId, Timestamp), NoticeError> {
        let engine = self.engine();
        let directory = engine.people.directory();
        let (name, language, number) = {
            let person = directory.people.get(contact);
            let person = person.ok_or_else(|| NoticeError::NoContact(contact.to_owned()))?;
            let number = person.phone.clone();
            let number = number.ok_or_else(|| NoticeError::NoPhone(contact.to_owned()))?;
            (person.name.clone(), person.language, number)
        };
        let phones = [ChannelKind::Sms, ChannelKind::Voice, ChannelKind::Alimtalk];
        if !phones.contains(&by) {
            return Err(NoticeError::NotByPhone(by));
        }
        if !directory.channels.contains(&by) {
            return Err(NoticeError::NoProvider(by));
        }
        let (now, code) = (engine.now(), new_code()?);
        let mut tx = engine.store.begin().await?;
        let mut phone = tx.phone(contact).await?;
        phone.send(&number, digest(contact, &code), now)?;
        tx.save_phone(contact, &phone).await?;
        tx.commit().await?;
        let notice = Notice {
            key: format!("code/{contact}"),
            title: format!("Code to the phone of {name}"),
            title_ko: format!("{name} 님 인증번호"),
            why: format!("a code to the phone of {name}, asked for by {asker}"),
            to: vec![Said {
                contact: contact.to_owned(),
                by: vec![by],
                text: code_text(language, &code),
            }],
        };
        let incident = engine.say(&notice, now).await?;
        Ok((incident, now.plus(crate::core::CODE_HOLDS)))
    }

    /// Takes the code that somebody says.
    pub async fn confirm_code(
        &self,
        contact: &str,
        code: &str,
        asker: &str,
    ) -> Result<(), NoticeError> {
        let engine = self.engine();
        let directory = engine.people.directory();
        let person = directory.people.get(contact);
        let person = person.ok_or_else(|| NoticeError::NoContact(contact.to_owned()))?;
        let number = person.phone.as_deref();
        let number = number.ok_or_else(|| NoticeError::NoPhone(contact.to_owned()))?;
        let mut tx = engine.store.begin().await?;
        let mut phone = tx.phone(contact).await?;
        let said = digest(contact, code.trim());
        let taken = phone.confirm(number, &said, asker, engine.now());
        // A wrong one is counted.
        tx.save_phone(contact, &phone).await?;
        tx.commit().await?;
        Ok(taken?)
    }

    /// Every contact, and what is known of their phones.
    pub async fn contacts(&self) -> Result<Vec<ContactState>, StoreError> {
        let directory = self.engine().people.directory();
        let phones = self.engine().store.phones().await?;
        let paged = directory.paged();
        let each = directory.people.iter().map(|(contact, person)| {
            let known = phones.get(contact).and_then(|known| known.verified.clone());
            ContactState {
                contact: contact.clone(),
                name: person.name.clone(),
                phone: person.phone.clone(),
                verified: known
                    .filter(|(number, ..)| Some(number) == person.phone.as_ref())
                    .map(|(_, at, by)| (at, by)),
                is_paged: paged.contains(contact.as_str()),
            }
        });
        Ok(each.collect())
    }

    /// What those who run Bongsu should mend before it is needed: hours in which a policy reaches nobody, phones in policies that
    /// nobody verified.
    pub async fn warnings(&self) -> Result<Vec<String>, StoreError> {
        let engine = self.engine();
        let directory = engine.people.directory();
        let mut warnings = directory.uncovered(engine.now());
        warnings.extend(directory.out_of_reach());
        let unverified = self
            .contacts()
            .await?
            .into_iter()
            .filter(|one| one.is_paged && one.phone.is_some() && one.verified.is_none());
        warnings.extend(unverified.map(|one| {
            format!(
                "the phone of {} stands in a policy and is not verified: `bongsu notify verify {}`",
                one.name, one.contact
            )
        }));
        Ok(warnings)
    }
}

impl Engine {
    /// Says something to people, once for each key and time. The incident that carries it.
    pub async fn say(&self, notice: &Notice, at: Timestamp) -> Result<IncidentId, NoticeError> {
        let tenant = TenantId::parse(NOTICE_TENANT)?;
        let event = notice.event(&tenant, at);
        let now = self.now();
        let mut tx = self.store.begin().await?;
        tx.silences().await?;
        let mut loaded = tx.lock_for(&event, now).await?;
        // Another replica said it.
        if loaded.incident.revision > 0 {
            return Ok(event.incident_id);
        }
        let actions = notice.begin(&mut loaded.incident, &self.people.directory(), now);
        tx.save(&loaded, &actions, now).await?;
        tx.commit().await?;
        let mut effects = Effects::default();
        effects.add(&loaded.incident, actions, now);
        self.tell(effects);
        Ok(event.incident_id)
    }
}

/// Tells of hand-overs, until the order to stop.
pub async fn run(engine: Arc<Engine>, order: Shutdown) -> Result<(), Infallible> {
    loop {
        if let Err(error) = tell_hand_overs(&engine).await {
            tracing::warn!(%error, "hand-overs cannot be told yet");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY.to_std()) => {}
            () = order.begun() => return Ok(()),
        }
    }
}

/// Those of the last minutes; what was told is known by its incident.
async fn tell_hand_overs(engine: &Engine) -> Result<(), NoticeError> {
    let (directory, now) = (engine.people.directory(), engine.now());
    for hand_over in hand_overs(&directory, now.minus(LOOK_BACK), now) {
        let event = hand_over
            .notice(&directory, &Open::default())
            .event(&TenantId::parse(NOTICE_TENANT)?, hand_over.at);
        if engine.store.summary(event.incident_id).await?.is_some() {
            continue;
        }
        let open = open(engine, &hand_over).await?;
        let notice = hand_over.notice(&directory, &open);
        engine.say(&notice, hand_over.at).await?;
    }
    Ok(())
}

/// What is open of the tenants that the schedule is paged about.
async fn open(engine: &Engine, hand_over: &HandOver) -> Result<Open, StoreError> {
    let mut open = Open::default();
    let counts = engine.store.counts().await?;
    for priority in Priority::ALL {
        let of_tenants = counts.iter().filter(|each| {
            each.priority == priority.as_str()
                && hand_over.tenants.iter().any(|t| t.as_str() == each.tenant)
        });
        let count: i64 = of_tenants.map(|each| each.count).sum();
        let filter = Filter {
            status: vec![Status::Open, Status::Acknowledged],
            priority: vec![priority],
            ..Filter::default()
        };
        let mut titles = Vec::new();
        if count > 0 && open.titles.len() < NAMED {
            let page = Page {
                limit: READ,
                after: None,
            };
            let found = engine.store.list(&filter, &page).await;
            let found = found.map_err(|error| match error {
                CommandError::Store(error) => error,
                other => StoreError::Row {
                    table: "incidents",
                    reason: other.to_string(),
                },
            })?;
            let mine = found.incidents.into_iter();
            let mine = mine.filter(|one| hand_over.tenants.contains(&one.tenant));
            titles = mine.map(|one| one.title).collect();
        }
        open.add(priority, count.unsigned_abs(), titles);
    }
    Ok(open)
}

/// Six digits, each code as likely as any other.
fn new_code() -> Result<String, NoticeError> {
    const CODES: u32 = 1_000_000;
    loop {
        let mut bytes = [0_u8; 4];
        getrandom::fill(&mut bytes).map_err(|error| NoticeError::Random(error.to_string()))?;
        let number = u32::from_le_bytes(bytes);
        // The last numbers would make some codes likelier than others.
        if number < u32::MAX - u32::MAX % CODES {
            return Ok(format!("{:06}", number % CODES));
        }
    }
}

/// What is kept of a code.
fn digest(contact: &str, code: &str) -> String {
    hex::encode(Sha256::digest(format!("{contact}/{code}").as_bytes()))
}
