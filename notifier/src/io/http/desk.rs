//! What the routes need of the engine.

use crate::commands::{
    Acted, Changed, CommandError, Commands, DeliveryRecord, Filter, IncidentDetail, LinkTarget,
    Listing, Page,
};
use crate::core::{Actor, ChannelKind, DeliveryId, Fate, Input, Message, Times, Via};
use async_trait::async_trait;
use model::{IncidentId, Priority, Span, TenantId, Timestamp};
use std::collections::BTreeMap;
use tokio::sync::broadcast;

/// The engine as the routes see it: [`Commands`], or a double in the tests of the routes.
#[async_trait]
pub trait Desk: Send + Sync + 'static {
    /// See [`Commands::list`].
    async fn list(&self, filter: &Filter, page: &Page) -> Result<Listing, CommandError>;
    /// See [`Commands::get`].
    async fn get(&self, id: IncidentId) -> Result<IncidentDetail, CommandError>;
    /// See [`Commands::deliveries_of`].
    async fn deliveries_of(
        &self,
        ids: &[IncidentId],
    ) -> Result<BTreeMap<IncidentId, Vec<DeliveryRecord>>, CommandError>;
    /// See [`Commands::recent_messages`].
    async fn recent_messages(
        &self,
        limit: u32,
    ) -> Result<Vec<(Message, DeliveryRecord)>, CommandError>;
    /// See [`Commands::acknowledge`].
    async fn acknowledge(
        &self,
        id: IncidentId,
        actor: Actor,
        via: Via,
    ) -> Result<Acted, CommandError>;
    /// See [`Commands::close`].
    async fn close(
        &self,
        id: IncidentId,
        actor: Actor,
        via: Via,
        until_resolved: bool,
    ) -> Result<Acted, CommandError>;
    /// See [`Commands::act`].
    async fn act(&self, id: IncidentId, input: Input<'static>) -> Result<Acted, CommandError>;
    /// See [`Commands::times`].
    async fn times(
        &self,
        tenant: Option<&TenantId>,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeMap<(String, Priority), Times>, CommandError>;
    /// See [`Commands::warnings`].
    async fn warnings(&self) -> Result<Vec<String>, CommandError> {
        Ok(Vec::new())
    }
    /// See [`Commands::has_tenant`].
    fn has_tenant(&self, _: &TenantId) -> bool {
        true
    }
    /// See [`Commands::chat_actor`].
    fn chat_actor(&self, member: &str, fallback: &str) -> Actor;
    /// See [`Commands::link_target`].
    async fn link_target(&self, token: &str) -> Result<Option<LinkTarget>, CommandError>;
    /// See [`Commands::told`].
    async fn told(
        &self,
        channel: ChannelKind,
        address: &str,
        within: Span,
    ) -> Result<Vec<LinkTarget>, CommandError>;
    /// See [`Commands::report`].
    async fn report(
        &self,
        delivery: DeliveryId,
        fate: Fate,
        reason: Option<String>,
    ) -> Result<(), CommandError>;
    /// See [`Commands::subscribe`].
    fn subscribe(&self) -> broadcast::Receiver<Changed>;
}

#[async_trait]
impl Desk for Commands {
    async fn list(&self, filter: &Filter, page: &Page) -> Result<Listing, CommandError> {
        Self::list(self, filter, page).await
    }

    async fn get(&self, id: IncidentId) -> Result<IncidentDetail, CommandError> {
        Self::get(self, id).await
    }

    async fn deliveries_of(
        &self,
        ids: &[IncidentId],
    ) -> Result<BTreeMap<IncidentId, Vec<DeliveryRecord>>, CommandError> {
        Self::deliveries_of(self, ids).await
    }

    async fn recent_messages(
        &self,
        limit: u32,
    ) -> Result<Vec<(Message, DeliveryRecord)>, CommandError> {
        Self::recent_messages(self, limit).await
    }

    async fn acknowledge(
        &self,
        id: IncidentId,
        actor: Actor,
        via: Via,
    ) -> Result<Acted, CommandError> {
        Self::acknowledge(self, id, actor, via).await
    }

    async fn close(
        &self,
        id: IncidentId,
        actor: Actor,
        via: Via,
        until_resolved: bool,
    ) -> Result<Acted, CommandError> {
        Self::close(self, id, actor, via, until_resolved).await
    }

    async fn act(&self, id: IncidentId, input: Input<'static>) -> Result<Acted, CommandError> {
        Self::act(self, id, input).await
    }

    async fn times(
        &self,
        tenant: Option<&TenantId>,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeMap<(String, Priority), Times>, CommandError> {
        Self::times(self, tenant, since, until).await
    }

    async fn warnings(&self) -> Result<Vec<String>, CommandError> {
        Ok(Self::warnings(self).await?)
    }

    fn has_tenant(&self, tenant: &TenantId) -> bool {
        Self::has_tenant(self, tenant)
    }

    fn chat_actor(&self, member: &str, fallback: &str) -> Actor {
        Self::chat_actor(self, member, fallback)
    }

    async fn link_target(&self, token: &str) -> Result<Option<LinkTarget>, CommandError> {
        Self::link_target(self, token).await
    }

    async fn told(
        &self,
        channel: ChannelKind,
        address: &str,
        within: Span,
    ) -> Result<Vec<LinkTarget>, CommandError> {
        Self::told(self, channel, address, within).await
    }

    async fn report(
        &self,
        delivery: DeliveryId,
        fate: Fate,
        reason: Option<String>,
    ) -> Result<(), CommandError> {
        Self::report(self, delivery, fate, reason).await
    }

    fn subscribe(&self) -> broadcast::Receiver<Changed> {
        Self::subscribe(self)
    }
}
