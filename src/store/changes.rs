//! Lists what was done to a client's flows: one query a page, from an index that is a moment behind the table.

use super::page::{Condition, Entries};
use super::{Cursor, Page, Store};
use crate::error::Error;
use crate::flow::members::ProjectId;
use crate::flow::{Author, Client};
use crate::item::{self, Changed, List};

impl Store {
    /// At most `limit` changes of `list`, those of a client, that come after `after`: of a project, by an author.
    pub async fn changes(
        &self,
        client: &Client,
        list: &List,
        (project, by): (Option<&ProjectId>, Option<&Author>),
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Changed>, Error> {
        let conditions = [(item::PROJECT, project.map(ProjectId::as_str)), (item::BY, by.map(Author::as_str))];
        let conditions = conditions.into_iter().filter_map(|(name, value)| Some(Condition::Equals(name, value?)));
        let changes = Entries {
            list,
            filter: conditions.collect(),
            attributes: &item::CHANGES,
            read: item::to_changed,
            sort_key: &Changed::key,
        };
        changes.page(self, client, after, limit, 1).await
    }
}
