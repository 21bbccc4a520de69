//! The life of one group's incident: identity, sequence, and which event a change is.

use super::codec::{CodecError, Reader, Writer};
use model::{AlertKind, Fingerprint, IncidentId, Priority, Span, Timestamp};

/// A firing within this time of the recovery is the same incident.
const REOPEN_WITHIN: Span = Span::from_secs(600);

/// The group's last incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Incident {
    pub(crate) id: IncidentId,
    /// Event time of its first firing.
    pub(crate) started_at: Timestamp,
    /// Number of its last event.
    pub(crate) sequence: u64,
    /// Open at this priority, or closed.
    pub(crate) state: State,
}

/// Whether an incident is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Shown at this priority.
    Open(Priority),
    /// Recovered at this time.
    Recovered(Timestamp),
}

impl Incident {
    /// What is shown.
    pub(crate) fn shown(&self) -> Option<Priority> {
        match self.state {
            State::Open(priority) => Some(priority),
            State::Recovered(_) => None,
        }
    }

    /// The host's clock jumped: how long ago it ended stays.
    pub(crate) fn step_clock(&mut self, by: model::Span) {
        if let State::Recovered(at) = &mut self.state {
            *at = at.plus(by);
        }
    }

    pub(crate) fn encode(&self, to: &mut Writer) {
        to.raw(&self.id.to_bytes());
        to.signed(self.started_at.as_nanos());
        to.unsigned(self.sequence);
        match self.state {
            State::Open(Priority::P1) => to.byte(1),
            State::Open(Priority::P2) => to.byte(2),
            State::Open(Priority::P3) => to.byte(3),
            State::Recovered(at) => {
                to.byte(0);
                to.signed(at.as_nanos());
            }
        }
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        let mut id = [0; 16];
        id.copy_from_slice(from.raw(16)?);
        Ok(Self {
            id: IncidentId::from_bytes(id),
            started_at: Timestamp::from_nanos(from.signed()?),
            sequence: from.unsigned()?,
            state: match from.byte()? {
                0 => State::Recovered(Timestamp::from_nanos(from.signed()?)),
                1 => State::Open(Priority::P1),
                2 => State::Open(Priority::P2),
                3 => State::Open(Priority::P3),
                _ => return Err(CodecError::Range("a priority")),
            },
        })
    }
}

/// Moves the group's incident to what is shown at `at`; the kind of the event, when there is one.
pub(crate) fn advance(
    incident: &mut Option<Box<Incident>>,
    shown: Option<Priority>,
    at: Timestamp,
    (clock_step, fingerprint): (u32, impl FnOnce() -> Fingerprint),
) -> Option<AlertKind> {
    let kind = match (incident.as_ref().map(|i| i.state), shown) {
        (None, None) | (Some(State::Recovered(_)), None) => return None,
        (Some(State::Open(before)), Some(now)) if before == now => return None,
        (Some(State::Open(before)), Some(now)) if before < now => AlertKind::Raised,
        (Some(State::Open(_)), Some(_)) => AlertKind::Lowered,
        (Some(State::Open(_)), None) => AlertKind::Resolved,
        (Some(State::Recovered(ended)), Some(_)) if at.since(ended) <= REOPEN_WITHIN => {
            AlertKind::Reopened
        }
        (None | Some(State::Recovered(_)), Some(_)) => AlertKind::Firing,
    };
    let state = shown.map_or(State::Recovered(at), State::Open);
    match incident {
        Some(known) if kind != AlertKind::Firing => {
            known.sequence += 1;
            known.state = state;
        }
        _ => {
            *incident = Some(Box::new(Incident {
                id: IncidentId::of(fingerprint(), clock_step, at),
                started_at: at,
                sequence: 1,
                state,
            }));
        }
    }
    Some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::TenantId;

    fn incident(state: State) -> Incident {
        let tenant = TenantId::parse("acme").unwrap();
        let started_at = Timestamp::from_millis(1_000);
        Incident {
            id: IncidentId::of(Fingerprint::of(&tenant, "cpu", &[]), 0, started_at),
            started_at,
            sequence: 7,
            state,
        }
    }

    #[test]
    fn every_state_is_read_back_and_another_is_refused() {
        let states = Priority::ALL.map(State::Open).into_iter();
        for state in states.chain([State::Recovered(Timestamp::from_millis(9))]) {
            let known = incident(state);
            let mut out = Writer::default();
            known.encode(&mut out);
            let bytes = out.into_bytes();
            let read = Incident::decode(&mut Reader::new(&bytes));
            assert_eq!(read, Ok(known), "{state:?}");
        }
        let mut out = Writer::default();
        incident(State::Open(Priority::P1)).encode(&mut out);
        let mut other = out.into_bytes();
        *other.last_mut().unwrap() = 4;
        let refused = Incident::decode(&mut Reader::new(&other));
        assert_eq!(refused, Err(CodecError::Range("a priority")));
    }

    #[test]
    fn a_jump_of_the_clock_leaves_how_long_ago_it_ended() {
        let mut ended = incident(State::Recovered(Timestamp::from_millis(5_000)));
        ended.step_clock(Span::from_secs(3_600));
        assert_eq!(
            ended.state,
            State::Recovered(Timestamp::from_millis(3_605_000))
        );
        let mut open = incident(State::Open(Priority::P2));
        open.step_clock(Span::from_secs(3_600));
        assert_eq!(open, incident(State::Open(Priority::P2)));
    }
}
