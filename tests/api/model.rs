//! A model of the protocol of a create, in which a model checker tries every schedule.
//!
//! There are two clients that send again, and two attempts in each call. Up to two answers or requests are lost or late,
//! anywhere, and a transaction under way refuses some puts. After that a call sends a new put, with the time of that. The same model of a plain conditional put has the false conflict
//! that the protocol avoids.

mod release;

use std::collections::{BTreeMap, BTreeSet};

use oracles::stateright::{Checker, Model, Property};

const CLIENTS: usize = 2;
const ATTEMPTS: u8 = 2;
const LOSSES: u8 = 2;
/// How many puts are refused, because a transaction on their item is under way.
const REFUSALS: u8 = 2;
/// How many calls a client makes. It sends again if nothing is written, or if the outcome is unknown.
const CALLS: u8 = 5;

/// How a failed condition is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// As a conflict.
    Plain,
    /// There is no key and the id is fresh, so the item is ours.
    IdIsProof,
    /// The same, and the answer shows the put that was sent last.
    ShowsSent,
    /// Both clients use the same key. The fingerprint and the write token tell whose the item is.
    Key,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Told {
    /// The flow of this time.
    Created(u8),
    Replayed(u8),
    Conflict,
    /// Nothing is written.
    Unavailable,
    Unknown,
}

/// A call of a client. A write token names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Call {
    client: usize,
    number: u8,
}

/// The progress of a call.
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
    /// The time of the put: one later with each new one.
    time: u8,
    /// Whether an attempt of this call may have written, or may still write.
    open: bool,
    told: Vec<Told>,
}

/// An item: its content, the call that wrote it, and the time of that put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Stored {
    content: u8,
    writer: Call,
    time: u8,
}

/// A put under way: its call, the number of the attempt, and its time.
type Put = (Call, u8, u8);
/// `None` is the id of the shared key. Without a key, each call has an id of its own.
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
    /// The engine does a put, and the answer arrives if its call still waits.
    Deliver(Put),
    /// The engine does a put, and the answer is lost.
    DeliverAndLose(Put),
    /// A put is lost on its way.
    Lose(Put),
    /// The engine refuses a put, because its item is in a transaction. The call sends a new one.
    Refuse(Put),
    /// The same, and the call gives up.
    RefuseForGood(Put),
    /// A call stops waiting while its put is still under way.
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
            Protocol::Plain | Protocol::IdIsProof | Protocol::ShowsSent => Some(call),
        }
    }

    /// The answer to a call whose id already has an item, after a put of this time.
    fn judge(&self, call: Call, time: u8, stored: Stored) -> Told {
        match self.protocol {
            Protocol::Plain => Told::Conflict,
            Protocol::IdIsProof => Told::Created(stored.time),
            Protocol::ShowsSent => Told::Created(time),
            Protocol::Key if stored.content != self.contents[call.client] => Told::Conflict,
            Protocol::Key if stored.writer == call => Told::Created(stored.time),
            Protocol::Key => Told::Replayed(stored.time),
        }
    }

    fn commit(&self, state: &mut State, (call, _, time): Put) -> Told {
        let content = self.contents[call.client];
        if let Some(stored) = state.table.get(&self.id(call)) {
            return self.judge(call, time, *stored);
        }
        state.table.insert(self.id(call), Stored { content, writer: call, time });
        Told::Created(time)
    }
}

impl Caller {
    fn waits_for(&self, (call, attempt, time): Put) -> bool {
        (self.number, self.phase, self.time) == (call.number, Phase::Waiting(attempt), time)
    }

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
        let caller = Caller { number: 0, phase: Phase::Sending(0), time: 0, open: false, told: Vec::new() };
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
                let put = (Call { client, number: caller.number }, attempt, caller.time);
                state.network.insert(put);
            }
            Action::Deliver(put @ (call, ..)) => {
                state.network.remove(&put);
                let told = self.commit(&mut state, put);
                let caller = &mut state.callers[call.client];
                if caller.waits_for(put) {
                    caller.tell(told);
                }
            }
            Action::DeliverAndLose(put @ (call, attempt, _)) | Action::Lose(put @ (call, attempt, _)) => {
                state.losses -= 1;
                state.network.remove(&put);
                if matches!(action, Action::DeliverAndLose(_)) {
                    self.commit(&mut state, put);
                }
                let caller = &mut state.callers[call.client];
                if caller.waits_for(put) {
                    caller.no_answer(attempt);
                }
            }
            Action::Refuse(put @ (call, attempt, _)) | Action::RefuseForGood(put @ (call, attempt, _)) => {
                state.refusals -= 1;
                state.network.remove(&put);
                let caller = &mut state.callers[call.client];
                if caller.waits_for(put) {
                    match action {
                        Action::Refuse(_) => {
                            caller.time += 1;
                            caller.phase = Phase::Sending(attempt);
                        }
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
                let time = state.callers[client].time;
                let found = state.table.get(&self.id(call)).map(|stored| self.judge(call, time, *stored));
                state.callers[client].tell(found.unwrap_or(Told::Unknown));
            }
            Action::TryAgain(client) => {
                let caller = &mut state.callers[client];
                caller.number += 1;
                caller.phase = Phase::Sending(0);
                caller.time = 0;
                caller.open = false;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("a conflict is real", |model: &Create, state: &State| {
                state.callers.iter().enumerate().all(|(client, caller)| {
                    let other = |stored: &Stored| stored.content != model.contents[client];
                    !caller.told.contains(&Told::Conflict) || state.table.get(&None).is_some_and(other)
                })
            }),
            Property::always("a success is stored", |model, state: &State| {
                state.callers.iter().enumerate().all(|(client, caller)| {
                    let Phase::Done(Told::Created(_) | Told::Replayed(_)) = caller.phase else { return true };
                    let id = model.id(Call { client, number: caller.number });
                    state.table.get(&id).is_some_and(|stored| stored.content == model.contents[client])
                })
            }),
            Property::always("a success shows what is stored", |model, state: &State| {
                state.callers.iter().enumerate().all(|(client, caller)| {
                    let Phase::Done(Told::Created(time) | Told::Replayed(time)) = caller.phase else { return true };
                    let id = model.id(Call { client, number: caller.number });
                    state.table.get(&id).is_some_and(|stored| stored.time == time)
                })
            }),
            Property::always("only the call that wrote a flow is told that it created it", |model, state: &State| {
                state.callers.iter().enumerate().all(|(client, caller)| {
                    let call = Call { client, number: caller.number };
                    let own = || state.table.get(&model.id(call)).is_some_and(|stored| stored.writer == call);
                    !matches!(caller.phase, Phase::Done(Told::Created(_))) || own()
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
            Property::eventually("every client learns the outcome", |_, state: &State| {
                let certain = |caller: &Caller| matches!(caller.phase, Phase::Done(told) if ![Told::Unknown, Told::Unavailable].contains(&told));
                state.callers.iter().all(certain)
            }),
            Property::sometimes("a call is unavailable", |_, state: &State| {
                state.callers.iter().any(|caller| caller.told.contains(&Told::Unavailable))
            }),
            // A model that does nothing would fail here.
            Property::sometimes("an outcome is unknown", |_, state: &State| {
                state.callers.iter().any(|caller| caller.told.contains(&Told::Unknown))
            }),
        ]
    }
}

#[test]
fn the_protocol_keeps_its_properties_in_every_schedule() {
    for (protocol, contents) in [(Protocol::IdIsProof, [0, 1]), (Protocol::Key, [0, 0]), (Protocol::Key, [0, 1])] {
        let checker = Create { protocol, contents }.checker().threads(2).spawn_bfs().join();
        checker.assert_properties();
        println!("{protocol:?} {contents:?}: {} states", checker.unique_state_count());
        assert!(checker.unique_state_count() > 100, "the model is explored");
    }
}

#[test]
fn the_model_has_a_replay_and_a_reused_key() {
    for (contents, told) in [([0, 0], Told::Replayed(0)), ([0, 1], Told::Conflict)] {
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
fn an_answer_that_shows_what_was_sent_last_is_not_always_what_is_stored() {
    let checker = Create { protocol: Protocol::ShowsSent, contents: [0, 1] }.checker().spawn_bfs().join();
    checker.assert_any_discovery("a success shows what is stored");
}

#[test]
fn a_plain_conditional_put_has_a_schedule_with_a_false_conflict() {
    let checker = Create { protocol: Protocol::Plain, contents: [0, 1] }.checker().spawn_bfs().join();
    let path = checker.assert_any_discovery("a conflict is real");
    let losses = path.into_actions().iter().filter(|action| matches!(action, Action::DeliverAndLose(_))).count();
    assert!(losses >= 1, "the false conflict follows a lost answer");
}
