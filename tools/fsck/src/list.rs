//! A sorted list of a partition, item by item.

use project_flows::item::{self, Item};

use crate::index::Expected;
use crate::report::{self, Count, Report};
use crate::table::{Unfinished, Walk};

/// One of the sorted lists of a partition, and how its keys are read.
pub struct List<'check, Key> {
    pub walk: Walk<'check>,
    pub parse: fn(&str) -> Option<Key>,
}

impl<Key> List<'_, Key> {
    /// The next item of a known kind. Items of other kinds are reported and skipped.
    pub async fn next(&mut self, report: &Report, sums: &mut Expected) -> Result<Option<(Key, Item)>, Unfinished> {
        while let Some(item) = self.walk.next().await? {
            report.count(Count::Items);
            sums.add_item(&item);
            match item::text(&item, item::SORT_KEY).and_then(self.parse) {
                Some(key) => {
                    refuse_old_form(&item)?;
                    return Ok(Some((key, item)));
                }
                None => report_strange(report, &item),
            }
        }
        Ok(None)
    }
}

/// Refuses a table of an earlier form: none of its findings would help.
fn refuse_old_form(item: &Item) -> Result<(), Unfinished> {
    let sort = item::text(item, item::SORT_KEY).unwrap_or_default();
    let is_logged =
        [item::FLOW_PREFIX, item::VERSION_PREFIX, item::RELEASE_PREFIX].iter().any(|one| sort.starts_with(one));
    if is_logged && [item::ACTION, item::CHANGE_KEY].iter().all(|name| !item.contains_key(*name)) {
        return Err(Unfinished(format!(
            "{}: expected an {} and a {}, found neither: the table has a form from before the log of changes, for which \
             there is no migration (CHANGELOG.md)",
            report::key(item),
            item::ACTION,
            item::CHANGE_KEY,
        )));
    }
    Ok(())
}

/// Reports an item that nothing in a table of flows has.
pub fn report_strange(report: &Report, item: &Item) {
    report.finding(
        &report::key(item),
        "expected a flow of a client, an earlier version of one or a release, found an item of another kind",
    );
}
