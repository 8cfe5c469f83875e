//! What this process keeps of what is live, so that a large flow is read once for each release, not at each login.
//!
//! A release never changes, and its digest names it: so nothing that is kept can be out of date.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use clru::{CLruCache, CLruCacheConfig, WeightScale};

use crate::flow::{Definition, Digest};

/// The most bytes that are kept: 16 MB, or 40 of the largest flows.
const MAX_BYTES: NonZeroUsize = NonZeroUsize::new(16_000_000).unwrap();

/// Definitions by the digest of a release, the least recently used first out.
#[derive(Clone)]
pub(super) struct Kept(Arc<Mutex<CLruCache<String, Definition, std::hash::RandomState, Bytes>>>);

/// What an entry counts for.
struct Bytes;

impl WeightScale<String, Definition> for Bytes {
    fn weight(&self, digest: &String, Definition { configuration, steps }: &Definition) -> usize {
        digest.len() + configuration.as_str().len() + steps.as_str().len()
    }
}

impl Default for Kept {
    fn default() -> Self {
        let config = CLruCacheConfig::new(MAX_BYTES).with_scale(Bytes);
        Self(Arc::new(Mutex::new(CLruCache::with_config(config))))
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Kept")
    }
}

impl Kept {
    pub(super) fn get(&self, digest: &Digest) -> Option<Definition> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(digest.as_str()).cloned()
    }

    pub(super) fn put(&self, digest: &Digest, definition: &Definition) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What is larger than all that may be kept is not kept.
        let _ = kept.put_with_weight(digest.as_str().to_owned(), definition.clone());
    }
}
