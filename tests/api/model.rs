//! The protocol of a create, exhausted: two clients, calls of two attempts each, up to two answers lost anywhere,
//! requests that are lost or late or refused because a transaction is under way, and clients that try again. The same
//! model of a plain conditional put finds the false conflict that the protocol is there to avoid.

use std::collections::{BTreeMap, BTreeSet};

use oracles::stateright::{Checker, Model, Property};

const CLIENTS: usize = 2;
const ATTEMPTS: u8 = 2;
const LOSSES: u8 = 2;
/// How often a put meets a transaction on its item, in all.
const REFUSALS: u8 = 2;
/// A client sends its request again while it is told that nothing is written, or nothing for certain.
const CALLS: u8 = 5;

/// How a failed condition is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// Somebody else has it: a conflict.
    Plain,
    /// No key: the id is fresh, so it is ours.
    IdIsProof,
    /// A key, which both clients share: the fingerprint and the token tell.
    Key,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Told {
    Created,
    Replayed,
    Conflict,
    /// Nothing is written.
    Unavailable,
    Unknown,
}

/// A call of a client, which is what a write token names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Call {
    client: usize,
    number: u8,
}

/// Where the function is in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Sending(u8),
    Waiting(u8),
    Settling,
    Done(Told),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Caller {
    number: u8,
    phase: Phase,
    /// Whether an attempt of this call may still write, or has.
    open: bool,
    told: Vec<Told>,
}

/// An item: whose content it has, and which call wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Stored {
    content: u8,
    writer: Call,
}

/// A put under way: the call, and which attempt of it.
type Put = (Call, u8);
/// The shared key, or a call's own fresh id.
type Id = Option<Call>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    table: BTreeMap<Id, Stored>,
    network: BTreeSet<Put>,
    callers: Vec<Caller>,
    losses: u8,
    refusals: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Send(usize),
    /// The engine carries a put out, and its answer arrives where it is waited for.
    Deliver(Put),
    /// The engine carries a put out, and its answer is lost.
    DeliverAndLose(Put),
    /// A put is lost on its way.
    Lose(Put),
    /// The engine refuses a put: its item is in a transaction. The call tries again.
    Refuse(Put),
    /// The same, and the call gives up.
    RefuseForGood(Put),
    /// The wait is over, and the put is still under way.
    TimeOut(usize),
    Settle(usize),
    TryAgain(usize),
}

struct Create {
    protocol: Protocol,
    contents: [u8; CLIENTS],
}

impl Create {
    fn id(&self, call: Call) -> Id {
        match self.protocol {
            Protocol::Key => None,
            Protocol::Plain | Protocol::IdIsProof => Some(call),
        }
    }

    /// What a call is told that finds its id held.
    fn whose(&self, call: Call, stored: Stored) -> Told {
        match self.protocol {
            Protocol::Plain => Told::Conflict,
            Protocol::IdIsProof => Told::Created,
            Protocol::Key if stored.content != self.contents[call.client] => Told::Conflict,
            Protocol::Key if stored.writer == call => Told::Created,
            Protocol::Key => Told::Replayed,
        }
    }

    fn commit(&self, state: &mut State, call: Call) -> Told {
        let content = self.contents[call.client];
        if let Some(stored) = state.table.get(&self.id(call)) {
            return self.whose(call, *stored);
        }
        state.table.insert(self.id(call), Stored { content, writer: call });
        Told::Created
    }
}

impl Caller {
    fn tell(&mut self, told: Told) {
        self.phase = Phase::Done(told);
        self.told.push(told);
    }

    fn no_answer(&mut self, attempt: u8) {
        self.open = true;
        self.phase = if attempt + 1 < ATTEMPTS { Phase::Sending(attempt + 1) } else { Phase::Settling };
    }
}

impl Model for Create {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let caller = Caller { number: 0, phase: Phase::Sending(0), open: false, told: Vec::new() };
        let callers = vec![caller; CLIENTS];
        let (table, network) = (BTreeMap::new(), BTreeSet::new());
        vec![State { table, network, callers, losses: LOSSES, refusals: REFUSALS }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (client, caller) in state.callers.iter().enumerate() {
            match caller.phase {
                Phase::Sending(_) => actions.push(Action::Send(client)),
                Phase::Waiting(_) if state.losses > 0 => actions.push(Action::TimeOut(client)),
                Phase::Settling => actions.push(Action::Settle(client)),
                Phase::Done(Told::Unknown | Told::Unavailable) if caller.number + 1 < CALLS => {
                    actions.push(Action::TryAgain(client));
                }
                Phase::Waiting(_) | Phase::Done(_) => {}
            }
        }
        for put in &state.network {
            actions.push(Action::Deliver(*put));
            if state.refusals > 0 {
                actions.extend([Action::Refuse(*put), Action::RefuseForGood(*put)]);
            }
            if state.losses > 0 {
                actions.extend([Action::DeliverAndLose(*put), Action::Lose(*put)]);
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Send(client) => {
                let caller = &mut state.callers[client];
                let Phase::Sending(attempt) = caller.phase else { return None };
                caller.phase = Phase::Waiting(attempt);
                state.network.insert((Call { client, number: caller.number }, attempt));
            }
            Action::Deliver(put @ (call, attempt)) => {
                state.network.remove(&put);
                let told = self.commit(&mut state, call);
                let caller = &mut state.callers[call.client];
                if (caller.number, caller.phase) == (call.number, Phase::Waiting(attempt)) {
                    caller.tell(told);
                }
            }
            Action::DeliverAndLose(put @ (call, attempt)) | Action::Lose(put @ (call, attempt)) => {
                state.losses -= 1;
                state.network.remove(&put);
                if matches!(action, Action::DeliverAndLose(_)) {
                    self.commit(&mut state, call);
                }
                let caller = &mut state.callers[call.client];
                if (caller.number, caller.phase) == (call.number, Phase::Waiting(attempt)) {
                    caller.no_answer(attempt);
                }
            }
            Action::Refuse(put @ (call, attempt)) | Action::RefuseForGood(put @ (call, attempt)) => {
                state.refusals -= 1;
                state.network.remove(&put);
                let caller = &mut state.callers[call.client];
                if (caller.number, caller.phase) == (call.number, Phase::Waiting(attempt)) {
                    match action {
                        Action::Refuse(_) => caller.phase = Phase::Sending(attempt),
                        _ if caller.open => caller.phase = Phase::Settling,
                        _ => caller.tell(Told::Unavailable),
                    }
                }
            }
            Action::TimeOut(client) => {
                state.losses -= 1;
                let Phase::Waiting(attempt) = state.callers[client].phase else { return None };
                state.callers[client].no_answer(attempt);
            }
            Action::Settle(client) => {
                let call = Call { client, number: state.callers[client].number };
                let found = state.table.get(&self.id(call)).map(|stored| self.whose(call, *stored));
                state.callers[client].tell(found.unwrap_or(Told::Unknown));
            }
            Action::TryAgain(client) => {
                let caller = &mut state.callers[client];
                caller.number += 1;
                caller.phase = Phase::Sending(0);
                caller.open = false;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("a conflict is one", |model: &Create, state: &State| {
                state.callers.iter().enumerate().all(|(client, caller)| {
                    let other = |stored: &Stored| stored.content != model.contents[client];
                    !caller.told.contains(&Told::Conflict) || state.table.get(&None).is_some_and(other)
                })
            }),
            Property::always("a success is stored", |model, state: &State| {
                state.callers.iter().enumerate().all(|(client, caller)| {
                    let Phase::Done(Told::Created | Told::Replayed) = caller.phase else { return true };
                    let id = model.id(Call { client, number: caller.number });
                    state.table.get(&id).is_some_and(|stored| stored.content == model.contents[client])
                })
            }),
            Property::always("only its own call is told that it has created", |model, state: &State| {
                state.callers.iter().enumerate().all(|(client, caller)| {
                    let call = Call { client, number: caller.number };
                    let own = || state.table.get(&model.id(call)).is_some_and(|stored| stored.writer == call);
                    caller.phase != Phase::Done(Told::Created) || own()
                })
            }),
            Property::always("a call that is unavailable has written nothing", |_, state: &State| {
                state.callers.iter().enumerate().all(|(client, caller)| {
                    let call = Call { client, number: caller.number };
                    let written = || state.table.values().any(|stored| stored.writer == call);
                    caller.phase != Phase::Done(Told::Unavailable) || !written()
                })
            }),
            Property::always("a key has one flow", |model, state: &State| {
                model.protocol != Protocol::Key || state.table.len() <= 1
            }),
            Property::eventually("every client is told for certain", |_, state: &State| {
                let certain = |caller: &Caller| matches!(caller.phase, Phase::Done(told) if ![Told::Unknown, Told::Unavailable].contains(&told));
                state.callers.iter().all(certain)
            }),
            Property::sometimes("a call is unavailable", |_, state: &State| {
                state.callers.iter().any(|caller| caller.told.contains(&Told::Unavailable))
            }),
            // So that the model cannot be right by doing nothing.
            Property::sometimes("an outcome is unknown", |_, state: &State| {
                state.callers.iter().any(|caller| caller.told.contains(&Told::Unknown))
            }),
        ]
    }
}

#[test]
fn the_protocol_has_no_counterexample() {
    for (protocol, contents) in [(Protocol::IdIsProof, [0, 1]), (Protocol::Key, [0, 0]), (Protocol::Key, [0, 1])] {
        let checker = Create { protocol, contents }.checker().threads(2).spawn_bfs().join();
        checker.assert_properties();
        println!("{protocol:?} {contents:?}: {} states", checker.unique_state_count());
        assert!(checker.unique_state_count() > 100, "the model is explored");
    }
}

#[test]
fn a_replay_and_a_reuse_are_both_met() {
    for (contents, told) in [([0, 0], Told::Replayed), ([0, 1], Told::Conflict)] {
        let model = Create { protocol: Protocol::Key, contents };
        let mut state = model.init_states().remove(0);
        for client in 0..CLIENTS {
            state = model.next_state(&state, Action::Send(client)).unwrap();
            let put = *state.network.first().unwrap();
            state = model.next_state(&state, Action::Deliver(put)).unwrap();
        }
        assert_eq!(state.callers[1].phase, Phase::Done(told));
    }
}

#[test]
fn a_plain_conditional_put_has_a_counterexample() {
    let checker = Create { protocol: Protocol::Plain, contents: [0, 1] }.checker().spawn_bfs().join();
    let path = checker.assert_any_discovery("a conflict is one");
    let losses = path.into_actions().iter().filter(|action| matches!(action, Action::DeliverAndLose(_))).count();
    assert!(losses >= 1, "an answer was lost, and a conflict reported that is none");
}
