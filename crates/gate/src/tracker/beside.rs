//! Lists of rows beside the one that is read.
//!
//! An export with `issues` and `items` has rows that nobody would count. Invariants: a list of objects beside `issues` is read as more
//! rows unless it is known to hold something else (labels, people, sprints …); deeper within what stands beside, unless its rows have no id
//! or no state.

use serde_json::{Map, Value};

use super::rows::Fields;

/// What trackers send beside their issues that is no issue: in small letters, without signs.
const OTHERS: [&str; 52] = [
    "assignees",
    "attachments",
    "authors",
    "boards",
    "categories",
    "columns",
    "comments",
    "components",
    "customfields",
    "customers",
    "cycles",
    "errormessages",
    "errors",
    "events",
    "facets",
    "fields",
    "filters",
    "groups",
    "history",
    "included",
    "initiatives",
    "issuetypes",
    "iterations",
    "labels",
    "links",
    "members",
    "messages",
    "milestones",
    "names",
    "organizations",
    "people",
    "permissions",
    "priorities",
    "projects",
    "reactions",
    "releases",
    "repositories",
    "resolutions",
    "rules",
    "schema",
    "sprints",
    "states",
    "statuses",
    "tags",
    "teams",
    "trackers",
    "types",
    "users",
    "versions",
    "warningmessages",
    "warnings",
    "workflows",
];

/// How deep is looked.
const DEPTH: usize = 8;

/// Where a second list of rows stands beside the list at `read`: its keys, with dots.
pub(super) fn list(map: &Map<String, Value>, read: &str, fields: &Fields) -> Option<String> {
    let beside = || map.iter().filter(|(key, _)| *key != read && !is_other(key));
    let list = beside().find(|(_, value)| {
        let rows = value.as_array();
        rows.is_some_and(|rows| rows.iter().any(Value::is_object))
    });
    list.map(|(key, _)| key.clone()).or_else(|| {
        let deeper = |(key, value)| Some(format!("{key}.{}", within(value, fields, DEPTH)?));
        beside().find_map(deeper)
    })
}

/// Where a list of rows with an id and a state stands in an object.
pub(super) fn within(value: &Value, fields: &Fields, depth: usize) -> Option<String> {
    let map = value.as_object().filter(|_| depth > 0)?;
    map.iter()
        .filter(|(key, _)| !is_other(key))
        .find_map(|(key, value)| match value {
            Value::Array(rows) => rows
                .iter()
                .any(|row| is_row(row, fields))
                .then(|| key.clone()),
            value => Some(format!("{key}.{}", within(value, fields, depth - 1)?)),
        })
}

/// Whether a key is known to hold no issues.
fn is_other(key: &str) -> bool {
    let plain: String = key.chars().filter(|c| c.is_alphanumeric()).collect();
    OTHERS.contains(&plain.to_lowercase().as_str())
}

/// Whether something has what a row needs.
fn is_row(value: &Value, fields: &Fields) -> bool {
    let has = |names: &[String]| {
        let own = value.as_object().into_iter().flatten();
        let inner = value
            .get("fields")
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        let mut keys = own.chain(inner).map(|(key, _)| key.to_lowercase());
        keys.any(|key| names.iter().any(|name| name.to_lowercase() == key))
    };
    has(&fields.id) && has(&fields.status)
}
