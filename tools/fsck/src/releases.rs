//! Judges the releases of one place, in the order of their sort keys, then the release in force. It reads nothing itself,
//! and keeps only what the next item is compared with.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use project_flows::flow::{Client, Digest, FlowId, Head, Moment, Place, Release, Released, ReleasedVersion, Status};
use project_flows::item::{self, Item};

use crate::place;
use crate::report::{self, difference, differences};

/// A version of a flow that a release names.
pub struct Named {
    pub version: ReleasedVersion,
    /// `None` if it is absent.
    pub item: Option<Item>,
    /// Whether it is absent as it is while a transaction moves it into the history.
    pub is_half_way: bool,
}

/// The releases of a place.
pub struct Releases<'place> {
    client: &'place Client,
    place: &'place Place,
    /// The highest number so far, and since when that release is in force.
    highest: u64,
    since: Option<Moment>,
    /// The numbers up to the highest that were not there: the first and the last of each gap.
    gaps: Vec<(u64, u64)>,
    /// The release with the highest number, if it is sound.
    last: Option<Item>,
    /// The number and the digest of the release before, if that release is sound.
    chain: Option<(u64, Option<Digest>)>,
    /// The versions that releases so far have reviewed, as the sort keys of their marks.
    reviewed: BTreeSet<String>,
    is_half_way: bool,
}

/// What a release that was reviewed has put in force for the first time.
pub struct Review {
    pub version: ReleasedVersion,
    /// The highest version that was reviewed before, not above it; 0 if none was.
    pub base: u64,
}

impl<'place> Releases<'place> {
    pub const fn new(client: &'place Client, place: &'place Place) -> Self {
        Self {
            client,
            place,
            highest: 0,
            since: None,
            gaps: Vec::new(),
            last: None,
            chain: None,
            reviewed: BTreeSet::new(),
            is_half_way: false,
        }
    }

    /// What the next release must have reviewed. `None` if it is no review, and where releases are missing, since nobody can
    /// tell then what was reviewed before.
    pub fn review(&self, item: &Item) -> Option<Review> {
        let release = item::to_release(item).ok()?;
        let version = release.version.filter(|_| release.reviewed && self.gaps.is_empty())?;
        let sort = |number| item::review_sort_key(self.place, &version.id, number);
        let before = self.reviewed.range(sort(1)..=sort(version.version)).next_back();
        let base = before.and_then(|sort| sort.rsplit_once('#')?.1.parse().ok()).unwrap_or(0);
        (base < version.version).then_some(Review { version, base })
    }

    /// Judges the next release; its key says since when it is in force, and its number. `changes` are the
    /// versions that it must have reviewed.
    pub fn next(
        &mut self,
        since: &Moment,
        number: u64,
        item: Item,
        named: Option<&Named>,
        changes: &[Item],
        found: &mut impl FnMut(String),
    ) {
        let mut found = |says: String| found(format!("release {number}: {says}"));
        if let Ok(release @ Release { reviewed: true, .. }) = item::to_release(&item)
            && let Some(version) = &release.version
        {
            own_change(&release, changes).into_iter().for_each(&mut found);
            self.reviewed.insert(item::review_sort_key(self.place, &version.id, version.version));
        }
        let head = self.judge(&item, Some((since, number)), named, &mut found);
        let is_sound = head.is_some();
        if let (Some(Head { release: Release { version: None, .. }, .. }), Some(before)) = (&head, &self.last)
            && self.highest + 1 == number
        {
            for attribute in item::SUMMARY.into_iter().filter(|name| item.get(*name) != before.get(*name)) {
                let says = difference(attribute, before, &item);
                found(format!("{says}, though release {}, which it withdraws, has it so", self.highest));
            }
        }
        self.link(head.as_ref(), number, named, &mut found);
        if self.highest < number {
            self.gap_before(number);
            self.highest = number;
            self.since = Some(since.clone());
            self.last = is_sound.then_some(item);
        } else if self.fill(number) {
            let before = self.since.as_ref().map_or_else(String::new, Moment::to_stored);
            let since = since.to_stored();
            let highest = self.highest;
            found(format!("{}: expected {before} or earlier, as release {highest} has it, found {since}", item::SINCE));
        } else {
            found(format!("expected it once, found it again, in force since {}", since.to_stored()));
        }
    }

    /// Judges the release in force and the marks of reviews, and whether all releases are there. Returns whether a transaction
    /// may be under way.
    pub fn end(
        mut self,
        head: Option<&Item>,
        named: Option<&Named>,
        marks: &BTreeMap<String, Item>,
        found: &mut impl FnMut(String),
    ) -> bool {
        let highest = self.highest;
        self.compare_marks(marks, found);
        let number = head.and_then(|head| item::text(head, item::RELEASE)).and_then(|text| text.parse::<u64>().ok());
        if let Some(number) = number.filter(|number| highest < *number) {
            self.gap_before(number.saturating_add(1));
        }
        for (first, last) in std::mem::take(&mut self.gaps) {
            // A release may be seen before its copy, and the next release before either.
            self.is_half_way = true;
            found(format!("expected {}, found nothing", span(first, last)));
        }
        let Some(head) = head else {
            // Marks alone are no release.
            if highest == 0 {
                return self.is_half_way;
            }
            self.is_half_way |= highest == 1;
            found(format!("expected one of the releases in force, which end at release {highest}, found none"));
            return self.is_half_way;
        };
        let name = number.map_or_else(|| "release in force".to_owned(), |number| format!("release {number}, in force"));
        let mut found = |says: String| found(format!("{name}: {says}"));
        if let Some(number) = number.filter(|number| *number < highest) {
            self.is_half_way |= number + 1 == highest;
            found(format!("expected release {highest}, the last, found release {number}"));
        }
        let last = self.last.take().filter(|_| number == Some(highest));
        // A version that is compared with the copy need not be compared with both.
        let is_sound = self.judge(head, None, named.filter(|_| last.is_none()), &mut found).is_some();
        if let Some(last) = last.filter(|_| is_sound) {
            for says in differences(&item::into_head(last, self.place), head) {
                found(format!("{says}, though the release has it so"));
            }
        }
        self.is_half_way
    }

    /// Reports how the marks of reviews differ from the releases that were reviewed.
    fn compare_marks(&mut self, marks: &BTreeMap<String, Item>, found: &mut impl FnMut(String)) {
        for sort in self.reviewed.iter().filter(|sort| !marks.contains_key(*sort)) {
            // A release may be seen before its mark, and a mark before its release.
            self.is_half_way = true;
            found(format!("expected the mark {sort:?} of a release that was reviewed, found nothing"));
        }
        for (sort, mark) in marks {
            if !self.reviewed.contains(sort) {
                self.is_half_way = true;
                found(format!("expected a release that was reviewed for the mark {sort:?}, found none"));
            }
            let expected = place::key_of(mark);
            differences(&expected, mark).for_each(|says| found(format!("mark {sort:?}: {says}")));
        }
    }

    /// Notes that the releases before `number` are missing, down to the highest so far.
    fn gap_before(&mut self, number: u64) {
        if self.highest + 1 < number {
            self.gaps.push((self.highest + 1, number - 1));
        }
    }

    /// Takes a number out of the gaps. `false` if it is in none.
    fn fill(&mut self, number: u64) -> bool {
        let Some(index) = self.gaps.iter().position(|(first, last)| (*first..=*last).contains(&number)) else {
            return false;
        };
        let (first, last) = self.gaps.swap_remove(index);
        self.gaps.extend([(first, number - 1), (number + 1, last)].into_iter().filter(|(first, last)| first <= last));
        true
    }

    /// Checks that an item is readable, agrees with its key, and has the flow that it names. Returns what it holds if nothing
    /// is wrong.
    fn judge(
        &mut self,
        item: &Item,
        key: Option<(&Moment, u64)>,
        named: Option<&Named>,
        found: &mut impl FnMut(String),
    ) -> Option<Head> {
        let is_sound = Cell::new(true);
        let mut found = |says: String| {
            is_sound.set(false);
            found(says);
        };
        let mut head = match item::to_head(item) {
            Ok(head) => head,
            Err(cause) => {
                found(format!("expected a release that can be read, found: {cause}"));
                return None;
            }
        };
        if head.release.write_token.is_none() {
            found(format!("{}: expected a token, found nothing", item::WRITE_TOKEN));
        }
        let since = &head.release.since;
        if key.is_none() && Moment::parse(&since.to_stored()).as_ref() != Some(since) {
            let (name, since) = (item::SINCE, since.to_stored());
            found(format!("{name}: expected an instant as in 2024-01-15T10:30:00.123Z, found {since:?}"));
        }
        // Client and place come from the key, and of all but the head the number and the moment too. What is released is
        // active. All other attributes must follow from the release.
        if let Some((since, number)) = key {
            head.release.since = since.clone();
            head.release.number = number;
        }
        let is_withdrawal = head.release.version.is_none();
        head.release.change.restored = None;
        head.release.reviewed &= !is_withdrawal;
        if let Some(Released { summary, definition }) = &mut head.flow {
            summary.client = self.client.clone();
            summary.project = self.place.project.clone();
            summary.flow_type = self.place.flow_type;
            summary.status = Status::Active;
            definition.take_if(|_| is_withdrawal);
        }
        let mut expected = item::from_release(self.client, self.place, &head);
        if key.is_none() {
            expected = item::into_head(expected, self.place);
        } else if head.flow.is_none() {
            found(format!("{}: expected the flow that it is about, found nothing", item::ID));
        }
        differences(&expected, item).for_each(&mut found);
        if let Some(named) = named.filter(|_| is_sound.get()) {
            self.is_half_way |= named.is_half_way;
            compare(item, named, key.is_none(), &mut found);
        }
        is_sound.get().then_some(head)
    }

    /// Checks the digest of a release in which nothing else is wrong. After a release that is missing or damaged, nobody can
    /// tell, so the chain begins anew.
    fn link(&mut self, sound: Option<&Head>, number: u64, named: Option<&Named>, found: &mut impl FnMut(String)) {
        let before = match self.chain.take() {
            Some((before, digest)) if before + 1 == number => Some(digest),
            None if number == 1 => Some(None),
            Some(_) | None => None,
        };
        let Some(Head { release, .. }) = sound else { return };
        let Some(digest) = &release.digest else {
            found("digest: expected one, found nothing".to_owned());
            return;
        };
        let version = named.and_then(|named| named.item.as_ref()).and_then(item::to_digest);
        if let Some(before) = before
            && release.digest_after(before.as_ref(), version.as_ref()).is_ok_and(|expected| expected != *digest)
        {
            found("digest: expected that of this release after the one before it, found another".to_owned());
        }
        self.chain = Some((number, release.digest.clone()));
    }
}

/// Reports how a release differs from the version that it names.
fn compare(item: &Item, named: &Named, is_head: bool, found: &mut impl FnMut(String)) {
    let ReleasedVersion { id, version } = &named.version;
    let name = format!("version {version} of flow {}", id.as_str());
    let Some(version) = &named.item else {
        found(format!("expected {name}, which it names, found nothing"));
        return;
    };
    for attribute in item::SUMMARY.into_iter().chain(["configuration", "steps"]) {
        // A large flow stands in the item of the release alone.
        if is_head && !item.contains_key(attribute) {
            continue;
        }
        if version.get(attribute) != item.get(attribute) {
            found(format!("{}, though {name} has it so", difference(attribute, version, item)));
        }
    }
}

/// What is wrong with the author of a release that was reviewed, and has these changes since the review before.
fn own_change(release: &Release, changes: &[Item]) -> Option<String> {
    let by = item::BY;
    let Some(author) = &release.change.by else {
        return Some(format!("{by}: expected an author, because it was reviewed, found nothing"));
    };
    let author_of = |version| item::text(version, by);
    let own = changes.iter().find(|version| author_of(version).is_none_or(|by| by == author.as_str()))?;
    let (number, id) = (report::shown(own, item::VERSION), item::text(own, item::ID).unwrap_or_default());
    let found = if author_of(own).is_some() { "the same" } else { "that it has none" };
    Some(format!(
        "{by}: expected another author than that of version {number} of flow {id}, because it was reviewed, found {found}"
    ))
}

/// The version that a release names; `None` if it names none, or cannot be read.
pub fn version_of(release: &Item) -> Option<ReleasedVersion> {
    item::to_release(release).ok()?.version
}

/// What is wrong with the newest version of a flow that is live.
pub fn inactive(id: &FlowId, newest: Option<&Item>) -> Option<String> {
    let active = AttributeValue::S(Status::Active.as_str().to_owned());
    let found = newest.and_then(|newest| newest.get(item::STATUS));
    (found != Some(&active)).then(|| {
        let found = newest.map_or_else(|| "nothing".to_owned(), |newest| report::shown(newest, item::STATUS));
        let expected = Status::Active.as_str();
        format!(
            "{} of flow {}: expected {expected:?}, because the flow is live, found {found}",
            item::STATUS,
            id.as_str()
        )
    })
}

fn span(first: u64, last: u64) -> String {
    if first == last { format!("release {first}") } else { format!("releases {first} to {last}") }
}
