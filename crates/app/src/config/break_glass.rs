//! `[break_glass.NAME]`: who may do without missing approvals in an emergency. Read into the environments that it names, so that it is part
//! of their plans.

use std::collections::BTreeMap;

use gonogo_core::Span;
use gonogo_release::approval::{BreakGlass, Requester};

use super::environment::{Environment, near_and_list};
use super::keys::BREAK_GLASS;
use super::policy::defaulted;
use super::reader::{Found, Table};
use super::webhooks::WebhookFile;
use crate::notices::{EVERYTHING, GLASS};

/// Reads every policy into the environments that it names.
pub(super) fn read(
    root: &Table<'_, '_>,
    environments: &mut BTreeMap<String, Environment>,
    webhooks: &BTreeMap<String, WebhookFile>,
) {
    for (name, table) in super::named(root, "break_glass", "a policy's name", &BREAK_GLASS) {
        read_one(&name, &table, environments, webhooks);
    }
}

/// An emergency that pages nobody is none that anybody hears of: the webhook is there, and tells of it wherever the policy holds.
fn check_pages(
    table: &Table<'_, '_>,
    pages: &Found<String>,
    webhooks: &BTreeMap<String, WebhookFile>,
) {
    let names: Vec<&str> = webhooks.keys().map(String::as_str).collect();
    let Some(webhook) = webhooks.get(&pages.value) else {
        // One with faults of its own is told at its own place.
        if !webhooks.is_empty() || !table.faults.any() {
            pages.refuse_with(
                table.faults,
                format!("`[webhooks]` names no `{}`", pages.value),
                near_and_list(&pages.value, &names),
            );
        }
        return;
    };
    let told = |event: &String| event == EVERYTHING || event == GLASS;
    if !webhook.events.iter().any(told) {
        let text = format!("the webhook `{}` does not tell of `{GLASS}`", pages.value);
        pages.refuse(table.faults, text);
    }
    let places = table.texts("environments").map(|found| found.value);
    let missed = places.into_iter().flatten().find(|place| {
        !webhook.environments.is_empty() && !webhook.environments.contains(&place.value)
    });
    if let Some(place) = missed {
        let text = format!(
            "the webhook `{}` tells nothing of `{}`",
            pages.value, place.value
        );
        pages.refuse(table.faults, text);
    }
}

fn read_one(
    name: &str,
    table: &Table<'_, '_>,
    environments: &mut BTreeMap<String, Environment>,
    webhooks: &BTreeMap<String, WebhookFile>,
) {
    for key in ["who", "environments", "pages"] {
        table.require(key);
    }
    let lasts: Found<Span> = defaulted(table, "lasts");
    if !(Span::from_secs(60)..=Span::from_secs(86_400)).contains(&lasts.value) {
        lasts.refuse(table.faults, "expected 1m to 1d");
    }
    let review: Found<Span> = defaulted(table, "review_within");
    if !(Span::from_secs(60)..=Span::from_secs(31 * 86_400)).contains(&review.value) {
        review.refuse(table.faults, "expected 1m to 31d");
    }
    let uses = table.count("uses");
    if let Some(uses) = uses.as_ref().filter(|u| !(1..=100).contains(&u.value)) {
        uses.refuse(table.faults, "expected 1 to 100");
    }
    let uses = uses.map_or(1, |u| u32::try_from(u.value).unwrap_or(1));
    let pages = table.text("pages");
    if let Some(pages) = pages.as_ref().filter(|p| p.value.trim().is_empty()) {
        pages.refuse(table.faults, "expected the name of a notice");
    }
    if let Some(pages) = &pages {
        check_pages(table, pages, webhooks);
    }
    let (Some(who), Some(places), Some(pages)) =
        (table.texts("who"), table.texts("environments"), pages)
    else {
        return;
    };
    for (list, what) in [(&who, "nobody may"), (&places, "nowhere")] {
        if list.value.is_empty() {
            list.refuse(
                table.faults,
                format!("expected at least one: this policy holds for {what}"),
            );
        }
    }
    let names: Vec<String> = environments.keys().cloned().collect();
    for place in &places.value {
        let Some(environment) = environments.get_mut(&place.value) else {
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            place.refuse_with(
                table.faults,
                format!("`{}` names no environment", place.value),
                near_and_list(&place.value, &known),
            );
            continue;
        };
        let policy = &mut environment.approval;
        let listed = policy.approvers.iter().map(|a| (&a.id, &a.key));
        let listed: Vec<(&String, &String)> = listed
            .chain(policy.requesters.iter().map(|r| (&r.id, &r.key)))
            .collect();
        let mut people: Vec<Requester> = Vec::new();
        for one in &who.value {
            let of_it = listed.iter().filter(|(id, _)| **id == one.value);
            let before = people.len();
            for (id, key) in of_it {
                let person = Requester {
                    id: (*id).clone(),
                    key: (*key).clone(),
                };
                if !people.contains(&person) {
                    people.push(person);
                }
            }
            if people.len() == before && people.iter().all(|p| p.id != one.value) {
                let known: Vec<&str> = listed.iter().map(|(id, _)| id.as_str()).collect();
                one.refuse_with(
                    table.faults,
                    format!("`{}` lists nobody named `{}`", place.value, one.value),
                    near_and_list(&one.value, &known),
                );
            }
        }
        policy.break_glass.push(BreakGlass {
            name: name.to_owned(),
            who: people,
            lasts: lasts.value,
            uses,
            review_within: review.value,
            pages: pages.value.clone(),
        });
    }
}
