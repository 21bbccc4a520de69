//! Who may ask: tokens of programs, sessions of browsers, sign-ins under way. Secrets are kept as their hashes.

use super::audit::Note;
use super::values::Cells;
use super::{Store, StoreError, Tx};
use crate::core::{Grant, Proof, Tenants, Who};
use model::{Role, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::any::AnyRow;

/// Live tokens of one name: the newest and the one before it, so that they can be rotated.
const LIVE: usize = 2;

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// 32 hexadecimal digits.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it may.
    pub grant: Grant,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub ends_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl ApiToken {
    /// Who asks with it.
    pub fn who(&self) -> Who {
        Who {
            name: self.name.clone(),
            proof: Proof::Token(self.id.clone()),
            grants: vec![self.grant.clone()],
        }
    }
}

/// A session as it was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose.
    pub who: Who,
    /// Of the credential that must still hold.
    pub credential: String,
}

/// A sign-in with the identity provider that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// What the provider hands back.
    pub state: String,
    /// What stands in the provider's token.
    pub nonce: String,
    /// The secret behind the challenge (PKCE).
    pub verifier: String,
    /// Where to go afterwards.
    pub next: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantJson {
    role: String,
    tenants: Vec<String>,
}

/// The hash under which a secret is kept, 64 hexadecimal digits.
pub fn hash_of_secret(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// 128 random bits, 32 hexadecimal digits.
pub(super) fn random_id() -> Result<String, StoreError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Random(error.to_string()))?;
    Ok(hex::encode(bytes))
}

impl Tx {
    /// Keeps a new token. Of those with its name the newest before it stays valid; older ones are revoked.
    pub async fn put_token(
        &mut self,
        token: &ApiToken,
        secret: &str,
        by: &Who,
    ) -> Result<(), StoreError> {
        let now = token.created_at;
        sqlx::query(
            "INSERT INTO api_tokens (id, name, sha256, role, tenants, created_by, created_at, ends_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(token.id.clone())
        .bind(token.name.clone())
        .bind(hash_of_secret(secret))
        .bind(token.grant.role.as_str())
        .bind(token.grant.tenants.words().join(" "))
        .bind(token.created_by.clone())
        .bind(now.as_nanos())
        .bind(token.ends_at.map(Timestamp::as_nanos))
        .execute(&mut *self.inner)
        .await?;
        let what = format!(
            "{} in {}",
            token.grant.role,
            token.grant.tenants.words().join(" ")
        );
        self.audit_token("token made", token, &what, by, now)
            .await?;
        let rows = sqlx::query(
            "SELECT * FROM api_tokens WHERE name = $1 AND revoked_at IS NULL AND id <> $2 \
             ORDER BY created_at DESC, id",
        )
        .bind(token.name.clone())
        .bind(token.id.clone())
        .fetch_all(&mut *self.inner)
        .await?;
        for older in rows.iter().skip(LIVE - 1) {
            self.end_token(&api_token(older)?, by, now).await?;
        }
        Ok(())
    }

    /// Revokes a token and the sessions that it began.
    pub async fn end_token(
        &mut self,
        token: &ApiToken,
        by: &Who,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE api_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
            .bind(token.id.clone())
            .bind(now.as_nanos())
            .execute(&mut *self.inner)
            .await?;
        sqlx::query("DELETE FROM sessions WHERE proof = $1")
            .bind(Proof::Token(token.id.clone()).to_string())
            .execute(&mut *self.inner)
            .await?;
        self.audit_token("token revoked", token, "", by, now).await
    }

    async fn audit_token(
        &mut self,
        kind: &str,
        token: &ApiToken,
        detail: &str,
        by: &Who,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let note = Note {
            kind,
            actor: &by.name,
            via: &by.proof.to_string(),
            tenant: only_tenant(&token.grant.tenants),
            subject: &format!("{} {}", token.name, token.id),
            detail,
        };
        self.audit(&note, now).await
    }
}

/// The tenant of what is about one alone.
fn only_tenant(tenants: &Tenants) -> Option<&model::TenantId> {
    match tenants {
        Tenants::These(ids) if ids.len() == 1 => ids.first(),
        _ => None,
    }
}

impl Store {
    /// All tokens, the newest first.
    pub async fn tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        let rows = sqlx::query("SELECT * FROM api_tokens ORDER BY created_at DESC, id")
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(api_token).collect()
    }

    /// The token with this secret; none when it is unknown, was revoked, or has ended.
    pub async fn token(
        &self,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<ApiToken>, StoreError> {
        let row = sqlx::query(
            "SELECT * FROM api_tokens \
             WHERE sha256 = $1 AND revoked_at IS NULL AND (ends_at IS NULL OR ends_at > $2)",
        )
        .bind(hash_of_secret(secret))
        .bind(now.as_nanos())
        .fetch_optional(&self.reader)
        .await?;
        row.as_ref().map(api_token).transpose()
    }

    /// Begins a session, and says so in the audit log.
    pub async fn begin_session(
        &self,
        secret: &str,
        session: &Session,
        (now, ends_at): (Timestamp, Timestamp),
    ) -> Result<(), StoreError> {
        let who = &session.who;
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM sessions WHERE ends_at <= $1")
            .bind(now.as_nanos())
            .execute(&mut *tx.inner)
            .await?;
        sqlx::query(
            "INSERT INTO sessions (sha256, name, proof, credential, grants, created_at, ends_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(hash_of_secret(secret))
        .bind(who.name.clone())
        .bind(who.proof.to_string())
        .bind(session.credential.clone())
        .bind(grants_json(&who.grants)?)
        .bind(now.as_nanos())
        .bind(ends_at.as_nanos())
        .execute(&mut *tx.inner)
        .await?;
        let grants = who.grants.iter().map(|grant| {
            let tenants = grant.tenants.words().join(" ");
            format!("{} in {tenants}", grant.role)
        });
        let note = Note {
            kind: "sign-in",
            actor: &who.name,
            via: &who.proof.to_string(),
            tenant: None,
            subject: "console",
            detail: &grants.collect::<Vec<_>>().join(", "),
        };
        tx.audit(&note, now).await?;
        tx.commit().await
    }

    /// The session that this secret opens, while it lasts.
    pub async fn session(
        &self,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        let row = sqlx::query("SELECT * FROM sessions WHERE sha256 = $1 AND ends_at > $2")
            .bind(hash_of_secret(secret))
            .bind(now.as_nanos())
            .fetch_optional(&self.reader)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let cells = Cells {
            table: "sessions",
            row: &row,
        };
        let grants: Vec<GrantJson> = cells.json("grants")?;
        let grants = grants.iter().map(|grant| {
            let tenants = Tenants::parse(grant.tenants.iter().map(String::as_str));
            Ok(Grant {
                role: Role::parse(&grant.role)?,
                tenants: tenants?,
            })
        });
        let grants = grants
            .collect::<Result<_, model::InvalidName>>()
            .map_err(|error| cells.wrong(error.to_string()))?;
        let who = Who {
            name: cells.text("name")?,
            proof: cells.named("proof", Proof::parse)?,
            grants,
        };
        Ok(Some(Session {
            who,
            credential: cells.text("credential")?,
        }))
    }

    /// Ends a session.
    pub async fn end_session(
        &self,
        secret: &str,
        who: &Who,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let gone = sqlx::query("DELETE FROM sessions WHERE sha256 = $1")
            .bind(hash_of_secret(secret))
            .execute(&mut *tx.inner)
            .await?;
        if gone.rows_affected() > 0 {
            let note = Note {
                kind: "sign-out",
                actor: &who.name,
                via: &who.proof.to_string(),
                tenant: None,
                subject: "console",
                detail: "",
            };
            tx.audit(&note, now).await?;
        }
        tx.commit().await
    }

    /// Keeps a sign-in until the provider sends the browser back.
    pub async fn begin_sign_in(
        &self,
        secret: &str,
        sign_in: &SignIn,
        (now, ends_at): (Timestamp, Timestamp),
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM sign_ins WHERE ends_at <= $1")
            .bind(now.as_nanos())
            .execute(&mut *tx.inner)
            .await?;
        sqlx::query(
            "INSERT INTO sign_ins (sha256, state, nonce, verifier, next, ends_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(hash_of_secret(secret))
        .bind(sign_in.state.clone())
        .bind(sign_in.nonce.clone())
        .bind(sign_in.verifier.clone())
        .bind(sign_in.next.clone())
        .bind(ends_at.as_nanos())
        .execute(&mut *tx.inner)
        .await?;
        tx.commit().await
    }

    /// Takes a sign-in out: it is finished once.
    pub async fn take_sign_in(
        &self,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<SignIn>, StoreError> {
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "DELETE FROM sign_ins WHERE sha256 = $1 RETURNING state, nonce, verifier, next, ends_at",
        )
        .bind(hash_of_secret(secret))
        .fetch_optional(&mut *tx.inner)
        .await?;
        tx.commit().await?;
        let Some(row) = row else { return Ok(None) };
        let cells = Cells {
            table: "sign_ins",
            row: &row,
        };
        if cells.time("ends_at")? <= now {
            return Ok(None);
        }
        Ok(Some(SignIn {
            state: cells.text("state")?,
            nonce: cells.text("nonce")?,
            verifier: cells.text("verifier")?,
            next: cells.text("next")?,
        }))
    }
}

fn grants_json(grants: &[Grant]) -> Result<String, StoreError> {
    let grants: Vec<GrantJson> = grants
        .iter()
        .map(|grant| GrantJson {
            role: grant.role.as_str().to_owned(),
            tenants: grant.tenants.words(),
        })
        .collect();
    serde_json::to_string(&grants).map_err(|error| StoreError::Row {
        table: "sessions",
        reason: error.to_string(),
    })
}

fn api_token(row: &AnyRow) -> Result<ApiToken, StoreError> {
    let cells = Cells {
        table: "api_tokens",
        row,
    };
    let tenants = cells.named("tenants", |words| Tenants::parse(words.split(' ')))?;
    Ok(ApiToken {
        id: cells.text("id")?,
        name: cells.text("name")?,
        grant: Grant {
            role: cells.named("role", Role::parse)?,
            tenants,
        },
        created_by: cells.text("created_by")?,
        created_at: cells.time("created_at")?,
        ends_at: cells.time_or_none("ends_at")?,
        revoked_at: cells.time_or_none("revoked_at")?,
    })
}
