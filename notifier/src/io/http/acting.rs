//! Who asks in a request, and the desk as they may see it: what is not theirs does not exist for them.

use super::problem::Problem;
use super::{Desk, Site};
use crate::commands::{
    Acted, Changed, CommandError, DeliveryRecord, Filter, IncidentDetail, Listing, Page,
};
use crate::core::{Actor, Denied, Input, Message, Proof, Tenants, Times, Via, Who};
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use model::{IncidentId, Priority, Role, TenantId, Timestamp};
use std::collections::BTreeMap;
use std::ops::Deref;

/// The site, and who asks it. Only routes whose rule asks for a role have one.
pub(super) struct Acting {
    site: Site,
    who: Who,
}

impl FromRequestParts<Site> for Acting {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, StatusCode> {
        // The guard puts it there; a route without a guard answers nothing.
        let who = parts.extensions.get::<Who>().cloned();
        let who = who.ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
        Ok(Self {
            site: site.clone(),
            who,
        })
    }
}

impl Deref for Acting {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Acting {
    /// Who asks.
    pub(super) fn who(&self) -> &Who {
        &self.who
    }

    /// The desk as they may see it.
    pub(super) fn desk(&self) -> Scoped<'_> {
        Scoped {
            desk: self.site.whole_desk(),
            who: &self.who,
        }
    }

    /// Whether they may do this in a tenant, as the API answers it; none is what is about no tenant alone.
    pub(super) fn may(&self, needs: Role, tenant: Option<&TenantId>) -> Result<(), Problem> {
        self.who.may(needs, tenant).map_err(Problem::from)
    }

    /// Refuses tenants that do not exist: a slip of a name would make what holds for nothing, or for whoever is called so one day.
    pub(super) fn knows<'a>(
        &self,
        tenants: impl IntoIterator<Item = &'a TenantId>,
    ) -> Result<(), Problem> {
        let desk = self.site.whole_desk();
        let unknown = tenants.into_iter().filter(|id| !desk.has_tenant(id));
        let names: Vec<String> = unknown.map(|id| format!("`{id}`")).collect();
        match names.is_empty() {
            true => Ok(()),
            false => Err(Problem::bad_request(format!(
                "there is no tenant {}: add it first (`bongsu tenant add`)",
                names.join(", ")
            ))),
        }
    }

    /// Whether they see what is a tenant's.
    pub(super) fn sees(&self, tenant: Option<&TenantId>) -> bool {
        self.who.may(Role::Viewer, tenant).is_ok()
    }

    /// Who acts, as the timeline shows it: `by` is what they say of themselves, and a token's name stands behind it.
    pub(super) fn actor(
        &self,
        by: Option<String>,
        via: Option<&str>,
    ) -> Result<(Actor, Via), Problem> {
        let (mut actor, via) = super::api::actor(by.clone(), via)?;
        let said = by.is_some_and(|by| !by.trim().is_empty());
        match &self.who.proof {
            Proof::Machine | Proof::Configured => {}
            Proof::Token(_) if said => actor.name = format!("{} ({})", actor.name, self.who.name),
            Proof::Token(_) | Proof::Provider(_) => actor.name.clone_from(&self.who.name),
        }
        Ok((actor, via))
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        Self::new(StatusCode::FORBIDDEN, denied.to_string())
    }
}

/// A desk through which somebody sees what is theirs and does what they may.
pub(super) struct Scoped<'a> {
    desk: &'a dyn Desk,
    who: &'a Who,
}

impl Scoped<'_> {
    pub(super) async fn list(&self, filter: &Filter, page: &Page) -> Result<Listing, CommandError> {
        let mut filter = filter.clone();
        filter.within = self.who.tenants(Role::Viewer);
        self.desk.list(&filter, page).await
    }

    pub(super) async fn get(&self, id: IncidentId) -> Result<IncidentDetail, CommandError> {
        let detail = self.desk.get(id).await?;
        let tenant = Some(&detail.incident.tenant);
        match self.who.may(Role::Viewer, tenant) {
            Ok(()) => Ok(detail),
            Err(_) => Err(CommandError::NoIncident(id)),
        }
    }

    /// Of incidents that a listing of theirs gave.
    pub(super) async fn deliveries_of(
        &self,
        ids: &[IncidentId],
    ) -> Result<BTreeMap<IncidentId, Vec<DeliveryRecord>>, CommandError> {
        self.desk.deliveries_of(ids).await
    }

    /// What should be mended, for who sees what is about no tenant alone.
    pub(super) async fn warnings(&self) -> Result<Vec<String>, CommandError> {
        match self.who.may(Role::Viewer, None) {
            Ok(()) => self.desk.warnings().await,
            Err(_) => Ok(Vec::new()),
        }
    }

    pub(super) async fn recent_messages(
        &self,
        limit: u32,
    ) -> Result<Vec<(Message, DeliveryRecord)>, CommandError> {
        let mut messages = self.desk.recent_messages(limit).await?;
        let seen = self.who.tenants(Role::Viewer);
        messages.retain(|(message, _)| seen.has(Some(&message.incident.tenant)));
        Ok(messages)
    }

    pub(super) async fn acknowledge(
        &self,
        id: IncidentId,
        actor: Actor,
        via: Via,
    ) -> Result<Acted, CommandError> {
        self.may_act(id).await?;
        self.desk.acknowledge(id, actor, via).await
    }

    pub(super) async fn close(
        &self,
        id: IncidentId,
        actor: Actor,
        via: Via,
        until_resolved: bool,
    ) -> Result<Acted, CommandError> {
        self.may_act(id).await?;
        self.desk.close(id, actor, via, until_resolved).await
    }

    pub(super) async fn act(
        &self,
        id: IncidentId,
        input: Input<'static>,
    ) -> Result<Acted, CommandError> {
        self.may_act(id).await?;
        self.desk.act(id, input).await
    }

    pub(super) async fn times(
        &self,
        tenant: Option<&TenantId>,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeMap<(String, Priority), Times>, CommandError> {
        let seen = match (tenant, self.who.tenants(Role::Viewer)) {
            (Some(tenant), seen) if seen.has(Some(tenant)) => [tenant.clone()].into(),
            (None, Tenants::All) => return self.desk.times(None, since, until).await,
            (None, Tenants::These(ids)) => ids,
            (Some(_), _) => return Ok(BTreeMap::new()),
        };
        let mut all = BTreeMap::new();
        for tenant in seen {
            all.append(&mut self.desk.times(Some(&tenant), since, until).await?);
        }
        Ok(all)
    }

    /// Whether they may act on an incident. What they do not see is not there.
    async fn may_act(&self, id: IncidentId) -> Result<(), CommandError> {
        if self.who.tenants(Role::Responder) == Tenants::All {
            return Ok(());
        }
        let tenant = self.desk.get(id).await?.incident.tenant;
        match self.who.may(Role::Responder, Some(&tenant)) {
            Ok(()) => Ok(()),
            Err(Denied::Hidden) => Err(CommandError::NoIncident(id)),
            Err(denied) => Err(CommandError::Denied(denied)),
        }
    }
}

/// Whether somebody may hear of a change.
pub(super) fn hears(seen: &Tenants, change: &Changed) -> bool {
    seen.has(Some(&change.tenant))
}
