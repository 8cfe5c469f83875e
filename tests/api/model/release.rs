//! A model of the protocols of a release, a withdrawal and a pause, in which a model checker tries every schedule.
//!
//! There is one flow and its place. Each client is an author, and nobody may release their own work unless it was reviewed.
//! Two clients send their calls one after the other, each call in two attempts. Up to two answers or requests are lost or
//! late, anywhere, and one transaction is refused for a conflict: then its call sends a new one. The database never remembers
//! a transaction that is sent again.
//! Without the check in a release, or without the one in a pause, something is live that is not active. Without the review,
//! somebody puts their own work in force.

use std::collections::BTreeSet;

use oracles::stateright::{Checker, Model, Property};

const ATTEMPTS: u8 = 2;
const LOSSES: u8 = 2;
/// How many transactions are refused, because another one is under way.
const REFUSALS: u8 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Operation {
    Release,
    Withdraw,
    Pause,
    Edit,
}

/// Which of the two checks a write has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Both,
    /// A release does not check that the flow is active.
    WithoutFlow,
    /// A pause does not check that the flow is not live.
    WithoutPlace,
    /// A condition that fails is believed, although an attempt had no answer.
    Unsettled,
    /// A release is not reviewed.
    Unreviewed,
    /// A new request forgets that one before it had no answer.
    Forgetful,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Told {
    /// The release or the version of this number is written.
    Written(usize),
    /// There was nothing to do.
    Same,
    NotActive,
    OwnChange,
    Live,
    Unknown,
}

/// A call of a client. A write token names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Call {
    client: usize,
    number: usize,
}

/// A transaction: what it writes, if the number that was read is still the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Transaction {
    call: Call,
    operation: Operation,
    /// The newest release for a release or a withdrawal, the newest version for a pause or an edit.
    newest: usize,
    /// What a release puts in force.
    version: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Reads the place, or the flow for a pause or an edit.
    Reading,
    /// Reads the flow, after the place with this release.
    ReadingFlow(usize),
    Sending(Transaction, u8),
    Waiting(Transaction, u8),
    Settling(Transaction),
    Done(Told),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Client {
    number: usize,
    phase: Phase,
    /// The number that an attempt of this call may have written, or may still write.
    open: Option<usize>,
    told: Vec<Told>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    /// Who wrote each version, and whether it is active. The first one is there before.
    versions: Vec<(Option<Call>, bool)>,
    /// Who wrote each release, and the version that it puts in force.
    releases: Vec<(Call, Option<usize>)>,
    network: BTreeSet<(Transaction, u8)>,
    clients: Vec<Client>,
    losses: u8,
    refusals: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Read(usize),
    Send(usize),
    /// The database carries a transaction out, and the answer arrives if its call still waits.
    Deliver(Transaction, u8),
    DeliverAndLose(Transaction, u8),
    Lose(Transaction, u8),
    /// The database refuses a transaction for a conflict. Its call reads again, and sends a new one.
    Refuse(Transaction, u8),
    /// A call stops waiting while its transaction is still under way.
    TimeOut(usize),
    Settle(usize),
    /// The next call of a client.
    Next(usize),
}

/// What the database says of a transaction.
enum Outcome {
    Written(usize),
    /// Another write came first.
    Overtaken,
    NotActive,
    Live,
}

struct Place {
    protocol: Protocol,
    calls: [&'static [Operation]; 2],
}

impl State {
    fn is_active(&self) -> bool {
        self.versions.last().is_some_and(|(_, active)| *active)
    }

    fn live(&self) -> Option<usize> {
        self.releases.last().and_then(|(_, version)| *version)
    }

    /// Whether a client wrote none of the versions after the base, which is the highest of these releases up to `version`.
    fn is_work_of_others(&self, releases: usize, client: usize, version: usize) -> bool {
        let reviewed = self.releases[..releases].iter().filter_map(|(_, reviewed)| *reviewed);
        let base = reviewed.filter(|reviewed| *reviewed <= version).max().unwrap_or(0);
        self.versions[base..version].iter().all(|(call, _)| call.is_none_or(|call| call.client != client))
    }

    /// How many numbers there are of what the transaction writes, and who wrote this one.
    fn count_and_writer(&self, operation: Operation, number: usize) -> (usize, Option<Call>) {
        match operation {
            Operation::Release | Operation::Withdraw => {
                (self.releases.len(), self.releases.get(number - 1).map(|(call, _)| *call))
            }
            Operation::Pause | Operation::Edit => {
                (self.versions.len(), self.versions.get(number - 1).and_then(|(call, _)| *call))
            }
        }
    }
}

impl Place {
    fn commit(&self, state: &mut State, transaction: Transaction) -> Outcome {
        let Transaction { call, operation, newest, version } = transaction;
        let (count, _) = state.count_and_writer(operation, 1);
        if count != newest {
            return Outcome::Overtaken;
        }
        match operation {
            Operation::Release if self.protocol != Protocol::WithoutFlow && !state.is_active() => Outcome::NotActive,
            Operation::Pause if self.protocol != Protocol::WithoutPlace && state.live().is_some() => Outcome::Live,
            Operation::Release | Operation::Withdraw => {
                state.releases.push((call, version));
                Outcome::Written(newest + 1)
            }
            Operation::Pause | Operation::Edit => {
                let active = operation == Operation::Edit && state.is_active();
                state.versions.push((Some(call), active));
                Outcome::Written(newest + 1)
            }
        }
    }

    /// Looks, before a new request, whether an earlier one has written its number. Whether that ends the call.
    fn settles_before(&self, state: &mut State, call: Call, operation: Operation) -> bool {
        let one = &mut state.clients[call.client];
        one.open = one.open.filter(|_| self.protocol != Protocol::Forgetful);
        let (Some(number), Phase::Reading) = (one.open, one.phase) else { return false };
        let (count, writer) = state.count_and_writer(operation, number);
        if count < number {
            return false;
        }
        // It is written, by this call or, for good, by another one.
        let one = &mut state.clients[call.client];
        one.open = None;
        if writer == Some(call) {
            one.tell(Told::Written(number));
        }
        writer == Some(call)
    }

    fn operation(&self, client: usize, number: usize) -> Operation {
        self.calls[client][number]
    }
}

impl Client {
    fn tell(&mut self, told: Told) {
        self.phase = Phase::Done(told);
        self.told.push(told);
    }

    /// Tells that nothing is written, unless an earlier request may have written.
    fn refuse(&mut self, told: Told, open: Transaction) {
        if self.open.is_some() {
            self.phase = Phase::Settling(open);
        } else {
            self.tell(told);
        }
    }

    fn no_answer(&mut self, transaction: Transaction, attempt: u8) {
        self.open = Some(transaction.newest + 1);
        self.phase = if attempt + 1 < ATTEMPTS {
            Phase::Sending(transaction, attempt + 1)
        } else {
            Phase::Settling(transaction)
        };
    }
}

impl Model for Place {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let client = Client { number: 0, phase: Phase::Reading, open: None, told: Vec::new() };
        let (versions, releases, network) = (vec![(None, true)], Vec::new(), BTreeSet::new());
        let clients = vec![client; 2];
        vec![State { versions, releases, network, clients, losses: LOSSES, refusals: REFUSALS }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (client, one) in state.clients.iter().enumerate() {
            match one.phase {
                Phase::Reading | Phase::ReadingFlow(_) => actions.push(Action::Read(client)),
                Phase::Sending(..) => actions.push(Action::Send(client)),
                Phase::Waiting(..) if state.losses > 0 => actions.push(Action::TimeOut(client)),
                Phase::Settling(_) => actions.push(Action::Settle(client)),
                Phase::Done(_) if one.number + 1 < self.calls[client].len() => actions.push(Action::Next(client)),
                Phase::Waiting(..) | Phase::Done(_) => {}
            }
        }
        for (transaction, attempt) in &state.network {
            actions.push(Action::Deliver(*transaction, *attempt));
            if state.refusals > 0 {
                actions.push(Action::Refuse(*transaction, *attempt));
            }
            if state.losses > 0 {
                actions.push(Action::DeliverAndLose(*transaction, *attempt));
                actions.push(Action::Lose(*transaction, *attempt));
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Read(client) => {
                let call = Call { client, number: state.clients[client].number };
                let operation = self.operation(client, call.number);
                if self.settles_before(&mut state, call, operation) {
                    return Some(state);
                }
                let (releases, versions) = (state.releases.len(), state.versions.len());
                let (is_active, live) = (state.is_active(), state.live());
                let is_reviewed =
                    self.protocol == Protocol::Unreviewed || state.is_work_of_others(releases, client, versions);
                let one = &mut state.clients[client];
                let version = (operation == Operation::Release).then_some(versions);
                let send = |newest| Phase::Sending(Transaction { call, operation, newest, version }, 0);
                // Where an earlier request is open, its number is settled before anything is refused.
                let settled = Transaction { call, operation, newest: one.open.unwrap_or(1) - 1, version };
                match (operation, one.phase) {
                    (Operation::Release, Phase::Reading) if live == version => one.refuse(Told::Same, settled),
                    (Operation::Release, Phase::Reading) => one.phase = Phase::ReadingFlow(releases),
                    (Operation::Release, Phase::ReadingFlow(_)) if !is_active => one.refuse(Told::NotActive, settled),
                    (Operation::Release, Phase::ReadingFlow(_)) if !is_reviewed => one.refuse(Told::OwnChange, settled),
                    (Operation::Release, Phase::ReadingFlow(newest)) => one.phase = send(newest),
                    (Operation::Withdraw, _) if live.is_none() => one.refuse(Told::Same, settled),
                    (Operation::Withdraw, _) => one.phase = send(releases),
                    (Operation::Pause, _) if !is_active => one.refuse(Told::Same, settled),
                    (Operation::Pause | Operation::Edit, _) => one.phase = send(versions),
                    (Operation::Release, _) => return None,
                }
            }
            Action::Send(client) => {
                let Phase::Sending(transaction, attempt) = state.clients[client].phase else { return None };
                state.clients[client].phase = Phase::Waiting(transaction, attempt);
                state.network.insert((transaction, attempt));
            }
            Action::Deliver(transaction, attempt) => {
                state.network.remove(&(transaction, attempt));
                let outcome = self.commit(&mut state, transaction);
                let one = &mut state.clients[transaction.call.client];
                if one.phase == Phase::Waiting(transaction, attempt) {
                    match outcome {
                        Outcome::Written(number) => one.tell(Told::Written(number)),
                        Outcome::Live if one.open.is_some() && self.protocol != Protocol::Unsettled => {
                            one.phase = Phase::Settling(transaction);
                        }
                        Outcome::Live => one.tell(Told::Live),
                        Outcome::NotActive if self.protocol == Protocol::Unsettled => one.tell(Told::NotActive),
                        Outcome::Overtaken | Outcome::NotActive => one.phase = Phase::Reading,
                    }
                }
            }
            Action::DeliverAndLose(transaction, attempt) | Action::Lose(transaction, attempt) => {
                state.losses -= 1;
                state.network.remove(&(transaction, attempt));
                if matches!(action, Action::DeliverAndLose(..)) {
                    self.commit(&mut state, transaction);
                }
                let one = &mut state.clients[transaction.call.client];
                if one.phase == Phase::Waiting(transaction, attempt) {
                    one.no_answer(transaction, attempt);
                }
            }
            Action::TimeOut(client) => {
                state.losses -= 1;
                let Phase::Waiting(transaction, attempt) = state.clients[client].phase else { return None };
                state.clients[client].no_answer(transaction, attempt);
            }
            Action::Settle(client) => {
                let Phase::Settling(transaction) = state.clients[client].phase else { return None };
                let number = transaction.newest + 1;
                let (count, writer) = state.count_and_writer(transaction.operation, number);
                let one = &mut state.clients[client];
                match writer {
                    _ if count < number => one.tell(Told::Unknown),
                    Some(writer) if writer == transaction.call => one.tell(Told::Written(number)),
                    _ => {
                        one.open = None;
                        one.phase = Phase::Reading;
                    }
                }
            }
            Action::Refuse(transaction, attempt) => {
                state.refusals -= 1;
                state.network.remove(&(transaction, attempt));
                let one = &mut state.clients[transaction.call.client];
                if one.phase == Phase::Waiting(transaction, attempt) {
                    one.phase = Phase::Reading;
                }
            }
            Action::Next(client) => {
                let one = &mut state.clients[client];
                one.number += 1;
                one.phase = Phase::Reading;
                one.open = None;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        /// Every call with what it was told.
        fn told(state: &State) -> impl Iterator<Item = (Call, Told)> {
            state.clients.iter().enumerate().flat_map(|(client, one)| {
                one.told.iter().enumerate().map(move |(number, told)| (Call { client, number }, *told))
            })
        }
        fn written(state: &State, call: Call) -> usize {
            let releases = state.releases.iter().filter(|(writer, _)| *writer == call).count();
            releases + state.versions.iter().filter(|(writer, _)| *writer == Some(call)).count()
        }
        vec![
            Property::always("what is live is active", |_, state: &State| state.live().is_none() || state.is_active()),
            Property::always("nobody puts their own work in force unreviewed", |_, state: &State| {
                state.releases.iter().enumerate().all(|(before, (call, version))| {
                    version.is_none_or(|version| state.is_work_of_others(before, call.client, version))
                })
            }),
            Property::always("no call writes twice", |model: &Place, state: &State| {
                let calls = |client: usize| (0..model.calls[client].len()).map(move |number| Call { client, number });
                (0..2).flat_map(calls).all(|call| written(state, call) <= 1)
            }),
            Property::always("a success is stored under its number", |model, state| {
                told(state).all(|(call, told)| {
                    let Told::Written(number) = told else { return true };
                    let operation = model.operation(call.client, call.number);
                    state.count_and_writer(operation, number).1 == Some(call)
                })
            }),
            Property::always("what is refused, or the same, is not written", |_, state| {
                told(state).all(|(call, told)| match told {
                    Told::Same | Told::NotActive | Told::OwnChange | Told::Live => written(state, call) == 0,
                    Told::Written(_) | Told::Unknown => true,
                })
            }),
            Property::eventually("every client has its answers", |model: &Place, state: &State| {
                state.clients.iter().zip(model.calls).all(|(one, calls)| one.told.len() == calls.len())
            }),
            // A model that does nothing would fail here.
            Property::sometimes("an outcome is unknown", |_, state| told(state).any(|(_, told)| told == Told::Unknown)),
        ]
    }
}

const RACES: [[&[Operation]; 2]; 6] = [
    [&[Operation::Release, Operation::Pause], &[Operation::Release]],
    [&[Operation::Release, Operation::Withdraw], &[Operation::Pause, Operation::Release]],
    [&[Operation::Release, Operation::Release], &[Operation::Withdraw, Operation::Pause]],
    [&[Operation::Release, Operation::Withdraw], &[Operation::Release, Operation::Pause]],
    [&[Operation::Edit, Operation::Release], &[Operation::Release, Operation::Edit]],
    [&[Operation::Edit, Operation::Release], &[Operation::Release, Operation::Withdraw]],
];

#[test]
fn what_is_live_is_active_and_reviewed_in_every_schedule() {
    for calls in RACES {
        let checker = Place { protocol: Protocol::Both, calls }.checker().threads(2).spawn_bfs().join();
        checker.assert_properties();
        println!("{calls:?}: {} states", checker.unique_state_count());
        assert!(checker.unique_state_count() > 1_000, "the model is explored");
    }
}

#[test]
fn without_either_check_something_is_live_that_is_not_active() {
    for protocol in [Protocol::WithoutFlow, Protocol::WithoutPlace] {
        let checker = Place { protocol, calls: RACES[0] }.checker().spawn_bfs().join();
        let path = checker.assert_any_discovery("what is live is active");
        println!("{protocol:?}: {:?}", path.into_actions());
    }
}

#[test]
fn without_a_review_somebody_puts_their_own_work_in_force() {
    let checker = Place { protocol: Protocol::Unreviewed, calls: RACES[4] }.checker().spawn_bfs().join();
    checker.assert_any_discovery("nobody puts their own work in force unreviewed");
}

#[test]
fn without_settling_before_a_new_request_a_call_writes_twice() {
    let checker = Place { protocol: Protocol::Forgetful, calls: RACES[2] }.checker().spawn_bfs().join();
    checker.assert_any_discovery("no call writes twice");
}

#[test]
fn without_settling_a_call_is_refused_and_written() {
    let checker = Place { protocol: Protocol::Unsettled, calls: RACES[1] }.checker().spawn_bfs().join();
    checker.assert_any_discovery("what is refused, or the same, is not written");
}
