//! The groups: who is in, who reads what, and the hand-over of a partition from one to another.
//!
//! One task owns all of it. A partition goes to its new owner only when the old one gave it back,
//! or did not in time; from then on a commit of the old one is refused.

use super::Shared;
use super::assign::{Candidate, assign};
use super::cursor::Cursor;
use super::member::{Behind, Cursors, Port};
use super::writer::GroupCommit;
use crate::pump::{Control, Pump};
use crate::{GroupEvent, JoinSpec, Membership, StreamError, TopicPartition, Topics};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Events that may wait for a member; a batch is up to 1 MiB.
const EVENTS: usize = 8;

/// Who may commit what. Asked by the writer as it writes a commit.
#[derive(Debug, Default)]
pub(super) struct Owners(Mutex<HashMap<(Arc<str>, TopicPartition), u64>>);

impl Owners {
    fn set(&self, group: &Arc<str>, source: &TopicPartition, member: u64) {
        let mut owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        owners.insert((Arc::clone(group), source.clone()), member);
    }

    fn clear(&self, group: &Arc<str>, source: &TopicPartition) {
        let mut owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        owners.remove(&(Arc::clone(group), source.clone()));
    }

    /// The first partition of the commit that is not the member's own.
    pub(super) fn foreign(&self, commit: &GroupCommit) -> Option<TopicPartition> {
        let owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        commit
            .commits
            .iter()
            .map(|(_, commit)| &commit.source)
            .find(|source| {
                let key = (Arc::clone(&commit.group), (*source).clone());
                owners.get(&key) != Some(&commit.member)
            })
            .cloned()
    }
}

/// What the groups' task is asked.
pub(super) enum Call {
    Join(JoinSpec, oneshot::Sender<Membership>),
    Leave(u64, oneshot::Sender<()>),
    /// The member gave these back, or its time for that is over.
    Released(u64, Vec<TopicPartition>),
    /// Nobody reads the member's events any more.
    Gone(u64),
}

/// A handle on the groups' task.
pub(super) struct Groups {
    calls: mpsc::UnboundedSender<Call>,
}

impl Groups {
    pub(super) fn start(shared: &Arc<Shared>) -> Self {
        let (calls, receiver) = mpsc::unbounded_channel();
        let coordinator = Coordinator {
            shared: Arc::clone(shared),
            calls: calls.clone(),
            members: BTreeMap::new(),
            next_member: 1,
        };
        shared.spawn("embedded-groups", coordinator.run(receiver));
        Self { calls }
    }

    pub(super) async fn join(&self, spec: JoinSpec) -> Result<Membership, StreamError> {
        let (answer, joined) = oneshot::channel();
        self.calls
            .send(Call::Join(spec, answer))
            .map_err(|_| StreamError::Closed)?;
        joined.await.map_err(|_| StreamError::Closed)
    }
}

struct Member {
    group: Arc<str>,
    topics: Topics,
    instance: Option<String>,
    generation: u64,
    /// What it owns, being given back included.
    held: BTreeSet<TopicPartition>,
    releasing: BTreeSet<TopicPartition>,
    cursors: Cursors,
    controls: mpsc::UnboundedSender<Control>,
    events: mpsc::Sender<GroupEvent>,
    leaving: Vec<oneshot::Sender<()>>,
}

impl Member {
    fn tell(&self, control: Control) {
        // A pump that has ended has said so by `Call::Gone`.
        self.controls.send(control).unwrap_or_default();
    }

    fn cursors(&self) -> std::sync::MutexGuard<'_, BTreeMap<TopicPartition, Cursor>> {
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing of these partitions is delivered once this returns.
    fn stop(&self, sources: &[TopicPartition]) {
        let mut cursors = self.cursors();
        for cursor in sources.iter().filter_map(|source| cursors.remove(source)) {
            cursor.stop();
        }
    }
}

struct Coordinator {
    shared: Arc<Shared>,
    calls: mpsc::UnboundedSender<Call>,
    members: BTreeMap<u64, Member>,
    next_member: u64,
}

impl Coordinator {
    async fn run(mut self, mut calls: mpsc::UnboundedReceiver<Call>) {
        let mut topics = self.shared.catalogue.changes();
        loop {
            tokio::select! {
                call = calls.recv() => match call {
                    Some(call) => self.answer(call),
                    None => return,
                },
                changed = topics.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let groups: BTreeSet<_> =
                        self.members.values().map(|member| Arc::clone(&member.group)).collect();
                    groups.iter().for_each(|group| self.rebalance(group));
                }
            }
        }
    }

    fn answer(&mut self, call: Call) {
        let group = match call {
            Call::Join(spec, answer) => self.join(spec, answer),
            Call::Leave(id, done) => match self.members.get_mut(&id) {
                Some(member) => {
                    member.leaving.push(done);
                    let group = Arc::clone(&member.group);
                    self.part_if_empty(id);
                    group
                }
                // Its end is what the caller waits for; dropping the answer says so.
                None => return,
            },
            Call::Released(id, sources) => match self.members.get(&id) {
                Some(member) => {
                    let group = Arc::clone(&member.group);
                    self.release(id, &sources);
                    self.part_if_empty(id);
                    group
                }
                None => return,
            },
            Call::Gone(id) => match self.remove(id) {
                Some(group) => group,
                None => return,
            },
        };
        self.rebalance(&group);
    }

    fn join(&mut self, spec: JoinSpec, answer: oneshot::Sender<Membership>) -> Arc<str> {
        let group: Arc<str> = spec.group.as_str().into();
        self.displace(&group, spec.instance.as_deref());
        let id = self.next_member;
        self.next_member += 1;
        let (events, receiver) = mpsc::channel(EVENTS);
        let (controls, orders) = mpsc::unbounded_channel();
        let cursors = Cursors::default();
        let pump = Pump {
            backstage: Behind {
                shared: Arc::clone(&self.shared),
                group: Arc::clone(&group),
                member: id,
                calls: self.calls.clone(),
            },
            patience: spec.session_timeout.mul_f32(0.8),
            controls: orders,
            events: events.clone(),
        };
        self.shared.spawn("embedded-member", pump.run());
        let port = Port {
            shared: Arc::clone(&self.shared),
            group: Arc::clone(&group),
            member: id,
            cursors: Arc::clone(&cursors),
            calls: self.calls.clone(),
        };
        let member = Member {
            group: Arc::clone(&group),
            topics: spec.topics,
            instance: spec.instance,
            generation: 0,
            held: BTreeSet::new(),
            releasing: BTreeSet::new(),
            cursors,
            controls,
            events,
            leaving: Vec::new(),
        };
        self.members.insert(id, member);
        // A caller that went away drops the membership, which the pump notices.
        drop(answer.send(Membership::new(receiver, Arc::new(port))));
        group
    }

    /// A static member that comes back takes the place of its former self.
    fn displace(&mut self, group: &Arc<str>, instance: Option<&str>) {
        let former = self.members.iter().find(|(_, member)| {
            member.group == *group && instance.is_some() && member.instance.as_deref() == instance
        });
        if let Some((id, member)) = former {
            let (id, held) = (*id, member.held.iter().cloned().collect());
            member.tell(Control::Lost(held));
            self.remove(id);
        }
    }

    /// Makes who reads what even, as far as it goes without waiting.
    fn rebalance(&mut self, group: &Arc<str>) {
        let all = self.partitions();
        let (mut candidates, mut present) = (Vec::new(), BTreeMap::new());
        for (id, member) in self
            .members
            .iter()
            .filter(|(_, member)| member.group == *group)
        {
            present.extend(member.held.iter().map(|source| (source.clone(), *id)));
            if member.leaving.is_empty() {
                candidates.push(Candidate {
                    member: *id,
                    wants: all
                        .iter()
                        .filter(|s| wants(&member.topics, s))
                        .cloned()
                        .collect(),
                });
            }
        }
        let wanted = assign(&candidates, &present);
        self.take_back(group, &wanted);
        self.hand_out(&wanted, &present);
    }

    fn partitions(&self) -> Vec<TopicPartition> {
        let topics = self.shared.catalogue.list();
        topics
            .into_iter()
            .flat_map(|topic| {
                (0..topic.partitions).map(move |p| TopicPartition::new(topic.name.clone(), p))
            })
            .collect()
    }

    fn take_back(&mut self, group: &Arc<str>, wanted: &BTreeMap<TopicPartition, u64>) {
        let members = self
            .members
            .iter_mut()
            .filter(|(_, member)| member.group == *group);
        for (id, member) in members {
            let moving: Vec<_> = member
                .held
                .iter()
                .filter(|source| wanted.get(*source) != Some(id))
                .filter(|source| !member.releasing.contains(*source))
                .cloned()
                .collect();
            if !moving.is_empty() {
                member.stop(&moving);
                member.releasing.extend(moving.iter().cloned());
                member.tell(Control::Revoke(moving));
            }
        }
    }

    fn hand_out(
        &mut self,
        wanted: &BTreeMap<TopicPartition, u64>,
        present: &BTreeMap<TopicPartition, u64>,
    ) {
        let mut gained: BTreeMap<u64, Vec<TopicPartition>> = BTreeMap::new();
        for (source, id) in wanted
            .iter()
            .filter(|(source, _)| !present.contains_key(*source))
        {
            gained.entry(*id).or_default().push(source.clone());
        }
        for (id, sources) in gained {
            let Some(member) = self.members.get_mut(&id) else {
                continue;
            };
            member.generation += 1;
            for source in &sources {
                let Ok(place) = self.shared.catalogue.place(source) else {
                    continue;
                };
                self.shared.owners.set(&member.group, source, id);
                member.held.insert(source.clone());
                let (generation, events) = (member.generation, member.events.clone());
                let cursor = Cursor::spawn(&self.shared, source.clone(), place, generation, events);
                member.cursors().insert(source.clone(), cursor);
            }
            member.tell(Control::Assign(member.generation, sources));
        }
    }

    fn release(&mut self, id: u64, sources: &[TopicPartition]) {
        if let Some(member) = self.members.get_mut(&id) {
            for source in sources {
                member.held.remove(source);
                member.releasing.remove(source);
                self.shared.owners.clear(&member.group, source);
            }
        }
    }

    /// A member that leaves goes when it holds nothing more; before, what it holds is taken back.
    fn part_if_empty(&mut self, id: u64) {
        let empty = |member: &Member| !member.leaving.is_empty() && member.held.is_empty();
        if self.members.get(&id).is_some_and(empty) {
            self.remove(id);
        }
    }

    /// Takes a member out at once.
    fn remove(&mut self, id: u64) -> Option<Arc<str>> {
        let member = self.members.remove(&id)?;
        let held: Vec<_> = member.held.iter().cloned().collect();
        member.stop(&held);
        for source in &held {
            self.shared.owners.clear(&member.group, source);
        }
        member.tell(Control::End);
        for done in member.leaving {
            done.send(()).unwrap_or_default();
        }
        Some(member.group)
    }
}

fn wants(topics: &Topics, source: &TopicPartition) -> bool {
    match topics {
        Topics::Prefix(prefix) => source.topic.as_str().starts_with(prefix),
        Topics::Named(names) => names.contains(&source.topic),
    }
}
