//! Entity tags: the version of a flow, or the number of a release, as HTTP states it (RFC 9110, 8.8.3), and the conditions on
//! it (13.1).

use crate::problem::{Code, Problem};

/// The `ETag` of a flow at `version`: `"3"`.
pub fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// What `If-Match` or `If-None-Match` asks for.
///
/// ```
/// # use project_flows::etag::EntityTags;
/// let tags = EntityTags::parse("\"2\", W/\"3\"").expect("entity tags");
/// assert!(tags.match_strongly(2) && !tags.match_strongly(3) && tags.match_weakly(3));
/// assert_eq!(EntityTags::parse("3"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntityTags {
    /// `*`: any version.
    Any,
    /// One of these.
    Listed(Vec<EntityTag>),
}

/// An entity tag that a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityTag {
    weak: bool,
    /// What stands between the quotes.
    opaque: String,
}

impl EntityTags {
    /// The entity tags of a header, or `None` when it has none or something else.
    pub fn parse(header: &str) -> Option<Self> {
        const SPACE: [char; 2] = [' ', '\t'];

        if header.trim_matches(SPACE) == "*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        let mut rest = header;
        loop {
            // Empty elements of a list are ignored (RFC 9110, 5.6.1.2).
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                break;
            }
            let (weak, quoted) = rest.strip_prefix("W/").map_or((false, rest), |quoted| (true, quoted));
            let (opaque, after) = quoted.strip_prefix('"')?.split_once('"')?;
            if opaque.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
                return None;
            }
            tags.push(EntityTag { weak, opaque: opaque.to_owned() });
            rest = after.trim_start_matches(SPACE);
            if !rest.is_empty() && !rest.starts_with(',') {
                return None;
            }
        }
        (!tags.is_empty()).then_some(Self::Listed(tags))
    }

    /// Whether a flow at `version` meets `If-Match`: a weak tag never does.
    pub fn match_strongly(&self, version: u64) -> bool {
        self.any(version, |tag| !tag.weak)
    }

    /// Whether a flow at `version` is one that `If-None-Match` names.
    pub fn match_weakly(&self, version: u64) -> bool {
        self.any(version, |_| true)
    }

    fn have_weak(&self) -> bool {
        matches!(self, Self::Listed(tags) if tags.iter().any(|tag| tag.weak))
    }

    fn any(&self, version: u64, counts: impl Fn(&EntityTag) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => {
                let version = version.to_string();
                tags.iter().any(|tag| counts(tag) && tag.opaque == version)
            }
        }
    }
}

/// What a write is bound to (RFC 9110, 13.2.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// `If-Match`: the flow is at one of these versions.
    pub if_match: Option<EntityTags>,
    /// `If-None-Match`: it is at none of these.
    pub if_none_match: Option<EntityTags>,
}

impl Preconditions {
    /// Whether a flow at `version` may be written.
    ///
    /// # Errors
    ///
    /// [`Code::PreconditionFailed`] when it may not: the first header that is not met.
    pub fn check(&self, version: u64) -> Result<(), Problem> {
        self.judge(version, true, ["the flow", "versions"], || format!("it at version {version}"))
    }

    /// Whether a place may be written whose newest release has this number (0 before the first). `*` matches if a flow is
    /// live. A number matches that release, also a withdrawal.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn check_place(&self, number: u64, is_live: bool) -> Result<(), Problem> {
        self.judge(number, is_live, ["the place", "releases"], || match (number, is_live) {
            (0, _) => "none".to_owned(),
            (number, true) => format!("release {number}"),
            (number, false) => format!("release {number}, a withdrawal"),
        })
    }

    /// Judges both headers. `*` matches what `exists`; a tag matches its number.
    fn judge(
        &self,
        number: u64,
        exists: bool,
        [resource, numbers]: [&str; 2],
        found: impl Fn() -> String,
    ) -> Result<(), Problem> {
        let meets = |tags: &EntityTags, is_named: bool| match tags {
            EntityTags::Any => exists,
            EntityTags::Listed(_) => number > 0 && is_named,
        };
        let refuse = |header, expected: &str, addition: &str| {
            let error = format!("expected {resource} at {expected} of these {numbers}, found {}{addition}", found());
            Err(Problem::header(header, Code::PreconditionFailed, error))
        };
        if let Some(tags) = &self.if_match
            && !meets(tags, tags.match_strongly(number))
        {
            let addition = if tags.have_weak() { "; a weak tag (W/) never matches" } else { "" };
            return refuse("If-Match", "one", addition);
        }
        if self.if_none_match.as_ref().is_some_and(|tags| meets(tags, tags.match_weakly(number))) {
            return refuse("If-None-Match", "none", "");
        }
        Ok(())
    }
}
