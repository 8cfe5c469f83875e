//! Stations 2 and 3: what each operation reads of a request, asks of the store, and answers. One file each, with everything
//! that only it has.

pub mod changes;
mod create;
mod delete;
mod diff;
pub mod list;
mod live;
pub mod live_flows;
mod patch;
mod release;
pub mod releases;
mod restore;
mod retrieve;
mod update;
mod version;
pub mod versions;
mod withdraw;

use std::pin::Pin;

use crate::answer::Answer;
use crate::body::Body;
use crate::caller::Caller;
use crate::error::Error;
use crate::event::Event;
use crate::flow::FlowId;
use crate::request::{Path, Request};
use crate::route::{Route, Segments, own_path};
use crate::store::Store;

/// What nearly every operation needs.
mod prelude {
    pub use super::Operation;
    pub use crate::answer::{Answer, Envelope};
    pub use crate::caller::{Caller, Permission};
    pub use crate::error::Error;
    pub use crate::flow::{Document, Flow, FlowId, Note};
    pub use crate::request::Request;
    pub use crate::route::Route;
    pub use crate::store::{Run, Store};
}

/// What a request can ask for.
pub trait Operation<'request>: Sized + Send {
    const ROUTE: Route;

    /// What its path names.
    type Path: Path;

    /// What the request asks for, all of it valid. An update is judged together with the flow that it changes.
    ///
    /// # Errors
    ///
    /// The first of: parameters, headers, media type, encoding, size, JSON, content. A refused body comes last.
    fn parse(path: Self::Path, request: &Request<'request>) -> Result<Self, Error>;

    /// Asks the store, and says the answer.
    fn carry_out(self, store: &Store, caller: &Caller) -> impl Future<Output = Result<Answer, Error>> + Send;
}

macro_rules! entry {
    ($operation:ty) => {
        Entry {
            route: <$operation as Operation>::ROUTE,
            parse: |route, segments, event, body| parse::<$operation>(route, segments, event, body),
        }
    };
}

/// The operations: the only routing table.
static OPERATIONS: &[Entry] = &[
    entry!(create::Create),
    entry!(list::ListFlows),
    entry!(retrieve::Retrieve),
    entry!(update::Update<'_>),
    entry!(patch::Patch<'_>),
    entry!(delete::Delete),
    entry!(versions::Versions),
    entry!(version::Version),
    entry!(diff::Diff),
    entry!(restore::Restore),
    entry!(changes::Changes),
    entry!(live_flows::LiveFlows),
    entry!(live::Live),
    entry!(release::Release),
    entry!(withdraw::Withdraw),
    entry!(releases::Releases),
];

/// A row of the routing table.
struct Entry {
    route: Route,
    parse: for<'request> fn(
        &Route,
        &Segments<'_>,
        &'request Event,
        &'request Body<'request>,
    ) -> Result<Ready<'request>, Error>,
}

/// A request that is parsed and can be carried out.
pub type Ready<'request> = Box<dyn FnOnce(&'request Store, &'request Caller) -> Pending<'request> + Send + 'request>;

/// On the heap: the state of the largest operation would be moved with the handler's, from hand to hand.
type Pending<'request> = Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send + 'request>>;

/// Reads a request in the order of the contract: path, parameters, headers, body.
fn parse<'request, O: Operation<'request> + 'request>(
    route: &Route,
    segments: &Segments<'_>,
    event: &'request Event,
    body: &'request Body<'request>,
) -> Result<Ready<'request>, Error> {
    let path = O::Path::parse(segments)?;
    let request = Request::read(route, event, body)?;
    let operation = O::parse(path, &request)?;
    request.check_body()?;
    Ok(Box::new(move |store, caller| Box::pin(operation.carry_out(store, caller))))
}

/// The route of every operation.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    OPERATIONS.iter().map(|entry| &entry.route)
}

/// What a request is aimed at.
pub enum Target<'path> {
    Operation(Call<'path>),
    /// The methods of a path (`OPTIONS`: RFC 9110, 9.3.7). A browser asks without a token before a script may send one
    /// ("CORS-preflight fetch" in the Fetch Standard).
    Preflight {
        route: Route,
        /// As in the `Allow` header (RFC 9110, 10.2.1).
        allow: String,
    },
}

/// An operation, and the parts of its path that differ from one flow or place to another.
pub struct Call<'path> {
    entry: &'static Entry,
    segments: Segments<'path>,
}

impl<'path> Target<'path> {
    /// What the method and the path of `event` name.
    pub fn find(event: &'path Event) -> Result<Self, Error> {
        const PREFLIGHT: &str = "OPTIONS";

        let path = own_path(event.path()).ok_or(Error::RouteNotFound)?;
        let method = event.method();
        let mut others = Vec::new();
        for entry in OPERATIONS {
            let Some(segments) = entry.route.matched(path) else { continue };
            if entry.route.method == method {
                return Ok(Self::Operation(Call { entry, segments }));
            }
            others.push(&entry.route);
        }
        let route = others.first().ok_or(Error::RouteNotFound)?;
        let route = Route { method: PREFLIGHT, ..**route };
        let methods: Vec<_> = others.iter().map(|route| route.method).chain([PREFLIGHT]).collect();
        let allow = methods.join(", ");
        if method == PREFLIGHT { Ok(Self::Preflight { route, allow }) } else { Err(Error::MethodNotAllowed { allow }) }
    }

    pub const fn route(&self) -> &Route {
        match self {
            Self::Operation(Call { entry, .. }) => &entry.route,
            Self::Preflight { route, .. } => route,
        }
    }

    /// The flow that the path names.
    pub fn flow_id(&self) -> Option<FlowId> {
        match self {
            Self::Operation(call) => FlowId::parse(call.segments.id),
            Self::Preflight { .. } => None,
        }
    }
}

impl Call<'_> {
    pub const fn route(&self) -> &'static Route {
        &self.entry.route
    }

    /// What `event`, with this `body`, asks of the operation.
    ///
    /// # Errors
    ///
    /// The first of: path, parameters, headers, media type, encoding, size, JSON, content.
    pub fn parse<'request>(
        &self,
        event: &'request Event,
        body: &'request Body<'request>,
    ) -> Result<Ready<'request>, Error> {
        (self.entry.parse)(&self.entry.route, &self.segments, event, body)
    }
}
