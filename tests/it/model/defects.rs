//! Each property can fail: a deliberate defect that breaks it.

use std::collections::BTreeSet;

use iam_password_remediator::reset::Wish;
use stateright::{Checker, HasDiscoveries, Model};

use super::forced;
use super::world::{
    Bounds, CAN_MEET, CHOICE_STAYS, CURRENT_WORKS, Defect, EXEMPT, IN_SIGHT, NO_LABELS, NOT_DROPPED, NOT_EARLY,
    NOT_STRANGERS, NOTHING_OPEN, ONCE, ONE_MESSAGE, RESET_TRUE, Start, TOLD_TRUE,
};

#[test]
fn every_property_fails_where_it_should() {
    let r1 = |faults, people| Bounds::of(&[(forced("r1"), 2)], faults, people);
    let stale = |faults, people| Bounds::of(&[(Wish::Stale, 2)], faults, people);
    let grace = |faults, people| Bounds { grace: true, ..stale(faults, people) };
    let alike = |faults, people| Bounds::of(&[(forced("r1"), 1), (forced("r1"), 1)], faults, people);
    let different = |faults, people| Bounds::of(&[(forced("r1"), 1), (forced("r2"), 1)], faults, people);
    let table = [
        (IN_SIGHT, Defect::NotStored, r1(0, 0)),
        (IN_SIGHT, Defect::NothingKeptInSight, r1(1, 0)),
        (IN_SIGHT, Defect::NeverSettled, r1(1, 1)),
        (IN_SIGHT, Defect::LeaseEndsEarly, different(1, 1)),
        (IN_SIGHT, Defect::LeaseNotKept, Bounds { reuse_rule: false, ..r1(1, 1) }),
        (IN_SIGHT, Defect::ClaimImagined, Bounds::of(&[(forced("r1"), 1), (Wish::Tidy, 1)], 0, 0)),
        (CAN_MEET, Defect::NotGranted, Bounds { needs_grant: true, ..r1(0, 0) }),
        (TOLD_TRUE, Defect::NotPromoted, r1(0, 0)),
        (CHOICE_STAYS, Defect::ChoiceUnseen, r1(1, 1)),
        (NOT_EARLY, Defect::GraceTooShort, grace(0, 0)),
        (ONCE, Defect::NothingServed, r1(0, 0)),
        (ONCE, Defect::ChangeForgotten, stale(0, 0)),
        (NOT_DROPPED, Defect::EverythingServed, r1(0, 0)),
        (NOT_DROPPED, Defect::DemandNotSent, r1(1, 0)),
        (NOT_DROPPED, Defect::NeverSettled, grace(0, 0)),
        (EXEMPT, Defect::ExemptionUnseen, r1(0, 1)),
        (NOT_STRANGERS, Defect::EverySecretOurs, Bounds { start: Start::Strangers, ..r1(0, 0) }),
        (RESET_TRUE, Defect::NobodyTold, r1(0, 0)),
        (NOTHING_OPEN, Defect::ClosedAsOpen, r1(0, 0)),
        (CURRENT_WORKS, Defect::GivenBackAsClosed, r1(1, 0)),
        (NO_LABELS, Defect::LabelsStay, r1(0, 0)),
        (ONE_MESSAGE, Defect::LeaseForEveryone, alike(0, 0)),
        (ONE_MESSAGE, Defect::GraceForgotten, grace(0, 0)),
    ];
    let mut missed = Vec::new();
    for (property, defect, bounds) in &table {
        let bounds = Bounds { defect: Some(*defect), ..bounds.clone() };
        let until = HasDiscoveries::AllOf(BTreeSet::from([*property]));
        let checker = bounds.checker().threads(2).finish_when(until).spawn_bfs().join();
        let steps = checker.discovery(property).map(|path| path.into_actions().len());
        let found = steps.map_or("NOT FOUND".to_owned(), |steps| format!("{steps} steps"));
        println!("| {property} | {defect:?} | {found} |");
        if steps.is_none() {
            missed.push((property, defect));
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
    let shown: BTreeSet<&str> = table.iter().map(|(property, ..)| *property).collect();
    for property in r1(0, 0).properties() {
        assert!(shown.contains(property.name), "no defect breaks it: {}", property.name);
    }
}
