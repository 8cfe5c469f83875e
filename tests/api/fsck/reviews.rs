//! Tables with a damage each in what was reviewed.

use serde_json::json;

use super::Flows;
use super::damages::{Damage, expect_findings};
use crate::engine;

/// The sort key of the release in force.
const HEAD: &str = "LIVE#reviewed#onboarding";

/// The sort key of a release in the same place.
#[track_caller]
fn copy_key(flows: &Flows, number: u64) -> String {
    let mut keys = flows.engine.items().into_iter().filter_map(|item| item["sk"]["S"].as_str().map(str::to_owned));
    let is_it = |key: &String| key.starts_with("RELEASE#reviewed#") && key.ends_with(&format!("#{number:010}"));
    keys.find(is_it).expect("a release")
}

fn mark_key(flows: &Flows, version: u64) -> String {
    format!("REVIEW#reviewed#onboarding#{}#{version:010}", flows.reviewed)
}

#[track_caller]
fn unset(flows: &Flows, sort_key: &str, attribute: &str) {
    flows.change(sort_key, |item| drop(item.as_object_mut().unwrap().remove(attribute)));
}

const DAMAGES: [Damage; 13] = [
    (
        "a review has lost its mark",
        |flows| flows.remove(&mark_key(flows, 3)),
        &[
            "REVIEWS: expected the mark \"REVIEW#reviewed#onboarding#REVIEWED#0000000003\" of a release that was reviewed, \
           found nothing",
        ],
    ),
    (
        "a version is marked that was never reviewed",
        |flows| {
            let mut mark = flows.engine.item(&mark_key(flows, 3));
            mark["sk"] = json!({ "S": mark_key(flows, 1) });
            flows.engine.put(engine::TABLE, &mark);
        },
        &["REVIEWS: expected a release that was reviewed for the mark \
           \"REVIEW#reviewed#onboarding#REVIEWED#0000000001\", found none"],
    ),
    (
        "a version is marked in a place without releases",
        |flows| {
            let mut mark = flows.engine.item(&mark_key(flows, 3));
            mark["sk"] = json!({ "S": mark_key(flows, 3).replace("onboarding", "login") });
            flows.engine.put(engine::TABLE, &mark);
        },
        &["REVIEWED LOGIN: expected a release that was reviewed for the mark \
           \"REVIEW#reviewed#login#REVIEWED#0000000003\", found none"],
    ),
    (
        "a mark has an attribute",
        |flows| flows.set(&mark_key(flows, 2), "remark", "secret"),
        &[
            "REVIEWS: mark \"REVIEW#reviewed#onboarding#REVIEWED#0000000002\": remark: expected nothing, found something else",
        ],
    ),
    (
        "the release in force has lost its review",
        |flows| unset(flows, HEAD, "reviewed"),
        &[
            "REVIEWS: release 4, in force: reviewed: expected another value, found nothing, though the release has it so",
        ],
    ),
    (
        "only the release in force is reviewed",
        |flows| unset(flows, &copy_key(flows, 4), "reviewed"),
        &[
            "REVIEWS: release 4, in force: reviewed: expected nothing, found something else, though the release has it so",
            "REVIEWS: release 4: digest: expected that of this release after the one before it, found another",
        ],
    ),
    (
        "the only review of a version is lost",
        |flows| {
            for key in [&copy_key(flows, 2), &copy_key(flows, 4), HEAD] {
                unset(flows, key, "reviewed");
            }
        },
        &[
            "REVIEWS: expected a release that was reviewed for the mark \
           \"REVIEW#reviewed#onboarding#REVIEWED#0000000003\", found none",
            "REVIEWS: release 2: digest: expected that of this release after the one before it, found another",
            "REVIEWS: release 4: digest: expected that of this release after the one before it, found another",
        ],
    ),
    (
        "a withdrawal was reviewed",
        |flows| {
            let withdrawals = flows.engine.items().into_iter();
            let mut withdrawals =
                withdrawals.filter(|item| item["release"]["N"] == "3" && item["action"]["S"] == "withdrawn");
            let mut withdrawal = withdrawals.next().expect("a withdrawal");
            withdrawal["reviewed"] = json!({ "BOOL": true });
            flows.engine.put(engine::TABLE, &withdrawal);
        },
        &["PLACE: release 3: reviewed: expected nothing, found something else"],
    ),
    (
        "the review of a release is a text",
        |flows| flows.set(&copy_key(flows, 3), "reviewed", "true"),
        &["REVIEWS: release 3: reviewed: expected nothing, found something else"],
    ),
    (
        "a release that was reviewed names nobody",
        |flows| unset(flows, &copy_key(flows, 3), "by"),
        &[
            "REVIEWS: release 3: by: expected an author, because it was reviewed, found nothing",
            "REVIEWS: release 3: digest: expected that of this release after the one before it, found another",
        ],
    ),
    (
        "the author of the version released it",
        |flows| flows.set(&copy_key(flows, 1), "by", "bob"),
        &[
            "REVIEWS: release 1: by: expected another author than that of version 2 of flow REVIEWED, because it was reviewed, \
           found the same",
            "REVIEWS: release 1: digest: expected that of this release after the one before it, found another",
        ],
    ),
    (
        "the author of an earlier version released it",
        |flows| flows.set(&copy_key(flows, 1), "by", "ann"),
        &[
            "REVIEWS: release 1: by: expected another author than that of version 1 of flow REVIEWED, because it was reviewed, \
           found the same",
            "REVIEWS: release 1: digest: expected that of this release after the one before it, found another",
        ],
    ),
    (
        "the author of the newest version released it",
        |flows| flows.set(&copy_key(flows, 2), "by", "dora"),
        &[
            "REVIEWS: release 2: by: expected another author than that of version 3 of flow REVIEWED, because it was reviewed, \
           found the same",
            "REVIEWS: release 2: digest: expected that of this release after the one before it, found another",
        ],
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_damage_of_a_review_is_found_and_named_and_nothing_else_is_reported() {
    expect_findings(&DAMAGES).await;
}
