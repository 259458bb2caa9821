//! Rows of an export, whatever tracker wrote it.

use std::collections::BTreeMap;

use gonogo_core::{Timestamp, canonical};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Issue, LARGEST};

/// Most rows.
const ROWS: u64 = 1_000_000;

/// Most bytes of a text that is kept.
const TEXT: usize = 500;

/// Forms of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// An object a line; the last of an id counts.
    JsonLines,
    /// A list of objects, or an object with a list `issues`.
    JsonList,
    /// With a header.
    Csv,
}

/// Names of the fields, the first that is there counts. Upper and lower case make no difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// The id. Needed.
    pub id: Vec<String>,
    /// The title.
    pub title: Vec<String>,
    /// The state. Needed; where a row has several of them, one that is open is what counts.
    pub status: Vec<String>,
    /// The type.
    pub kind: Vec<String>,
    /// The labels: a list, or text with commas, or several columns of one name.
    pub labels: Vec<String>,
    /// The item above.
    pub parent: Vec<String>,
    /// When it was changed.
    pub changed: Vec<String>,
}

impl Default for Fields {
    /// Fits `gh issue list --state all --json …`, CSV of Jira and of Linear, and JSON lines with `id` and `status`.
    fn default() -> Self {
        let list = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        Self {
            id: list(&["issue key", "key", "number", "identifier", "id"]),
            title: list(&["title", "summary", "name"]),
            status: list(&["status", "state"]),
            kind: list(&["issue_type", "issue type", "issuetype", "type"]),
            labels: list(&["labels", "label", "tags"]),
            parent: list(&[
                "parent",
                "parent_id",
                "parent issue",
                "parent key",
                "parent id",
            ]),
            changed: list(&[
                "updated_at",
                "updatedat",
                "updated",
                "closed_at",
                "created_at",
            ]),
        }
    }
}

/// What Jira calls the group of its states that a state belongs to, as a column, a field, or within a state.
const CATEGORY: [&str; 3] = ["status category", "status_category", "statuscategory"];

/// Names and keys of the group of states that are done; a state of another group is open whatever its own name is.
const FINISHED: [&str; 2] = ["done", "complete"];

/// What a board calls the place of a card, as a column or a field. A card may lie in another place than its state says.
const PLACE: [&str; 7] = [
    "column",
    "board column",
    "board_column",
    "boardcolumn",
    "system.boardcolumn",
    "project column",
    "project_column",
];

/// Names of places where what is done lies; any other one is open unless the policy calls it an end.
const LAST: [&str; 9] = [
    "done",
    "closed",
    "complete",
    "completed",
    "finished",
    "resolved",
    "released",
    "cancelled",
    "canceled",
];

/// What a card's place says against its state, if anything: a number is no place.
fn place(column: &str) -> Option<String> {
    let column = column.trim();
    let is_last = LAST.contains(&column.to_lowercase().as_str());
    let is_name = column.chars().any(char::is_alphabetic);
    (is_name && !is_last).then(|| column.to_owned())
}

/// All that a row says of its state. A place alone is none: where there is no state, it does not stand in for one.
fn states_of(
    own: Vec<String>,
    groups: Vec<String>,
    places: impl Iterator<Item = String>,
) -> Vec<String> {
    let has_state = own.iter().any(|state| !state.trim().is_empty());
    let places = places
        .filter_map(|found| place(&found))
        .filter(|_| has_state);
    own.into_iter().chain(groups).chain(places).collect()
}

/// What a state's group says against it, if anything.
fn against(group: &str) -> Option<String> {
    let group = group.trim();
    let is_finished = FINISHED.contains(&group.to_lowercase().as_str());
    (!group.is_empty() && !is_finished).then(|| group.to_owned())
}

/// An issue and the one above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Its state is the first of [`Row::states`].
    pub(super) issue: Issue,
    /// All that the row says of its state: a board's column and the tracker's own word need not agree.
    pub(super) states: Vec<String>,
    pub(super) parent: Option<String>,
}

/// What an export has.
pub(super) struct Export {
    pub(super) form: Form,
    pub(super) rows: u64,
    pub(super) issues: BTreeMap<String, Row>,
    pub(super) exported_at: Option<Timestamp>,
    pub(super) newest_change: Option<Timestamp>,
}

impl Export {
    fn take(&mut self, row: Row, changed: Option<Timestamp>) -> Result<(), String> {
        self.rows += 1;
        if self.rows > ROWS {
            return Err(format!("there are more than {ROWS} rows"));
        }
        self.newest_change = self.newest_change.max(changed);
        let id = row.issue.id.clone();
        if self.form != Form::JsonLines
            && let Some(known) = self.issues.get(&id)
            && *known != row
        {
            return Err(format!("`{id}` stands twice with different content"));
        }
        self.issues.insert(id, row);
        Ok(())
    }
}

/// Reads an export.
pub(super) fn read(bytes: &[u8], fields: &Fields) -> Result<Export, String> {
    if bytes.len() > LARGEST {
        return Err(format!("it has more than {LARGEST} bytes"));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|e| format!("it is not UTF-8 from byte {} on", e.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut export = Export {
        form: Form::Csv,
        rows: 0,
        issues: BTreeMap::new(),
        exported_at: None,
        newest_change: None,
    };
    match text.trim_start().chars().next() {
        None => return Err("it is empty".to_owned()),
        Some('[') => {
            export.form = Form::JsonList;
            let value = canonical::parse(text.as_bytes()).map_err(|e| e.to_string())?;
            list(&mut export, &value, fields)?;
        }
        Some('{') => object(&mut export, text, fields)?,
        Some('<') => return Err("it is a page, not an export".to_owned()),
        Some(_) => csv(&mut export, text, fields)?,
    }
    Ok(export)
}

fn object(export: &mut Export, text: &str, fields: &Fields) -> Result<(), String> {
    if let Ok(value) = canonical::parse(text.as_bytes())
        && let Some(map) = value.as_object()
        && let Some(issues) = map.get("issues")
    {
        export.form = Form::JsonList;
        if let Some(other) = super::beside::list(map, "issues", fields) {
            return Err(format!(
                "it has two lists of rows, `issues` and `{other}`, and only one can be read; export one list of all issues"
            ));
        }
        let at = ["exported_at", "generated_at"]
            .iter()
            .find_map(|key| value.get(key).map(|at| (key, at)));
        if let Some((key, at)) = at {
            let time = at.as_str().and_then(|text| text.parse().ok());
            let why = || format!("`{key}` is no time: {at}");
            export.exported_at = Some(time.ok_or_else(why)?);
        }
        list(export, issues, fields)?;
        return match part(&value, export.rows) {
            Some(why) => Err(format!("it is a part of the issues: {why}")),
            None => Ok(()),
        };
    }
    export.form = Form::JsonLines;
    let mut only = None;
    for (n, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let at = |e: String| format!("line {}: {e}", n + 1);
        let value = canonical::parse(line.as_bytes()).map_err(|e| at(e.to_string()))?;
        let (row, changed) = of_json(&value, fields).map_err(at)?;
        // What looks like one row may be the cover of many.
        if export.rows == 0 {
            only = super::beside::within(&value, fields, 3);
        }
        export.take(row, changed)?;
    }
    match only.filter(|_| export.rows == 1) {
        Some(list) => Err(format!(
            "it is one row with a list of rows, `{list}`; export the list itself, or as `issues`"
        )),
        None => Ok(()),
    }
}

/// What an answer of a tracker says of itself where there is more to ask for: totals of Jira and of GitHub's search, pages of GraphQL,
/// Linear and GitLab.
fn part(value: &Value, rows: u64) -> Option<String> {
    let paging = ["pageInfo", "page_info", "meta", "pagination", "paging"];
    let inner = paging.iter().filter_map(|key| value.get(*key));
    let inner = inner.chain(value.get("issues").and_then(|i| i.get("pageInfo")));
    let mut places: Vec<&Value> = vec![value];
    places.extend(inner);
    for place in places {
        let of = |keys: &[&'static str]| -> Option<(&'static str, &Value)> {
            keys.iter()
                .find_map(|key| place.get(*key).map(|found| (*key, found)))
        };
        if let Some((key, n)) = of(&["total", "total_count", "totalCount"])
            && n.as_u64() != Some(rows)
        {
            return Some(format!("`{key}` is {n}, and {rows} are there"));
        }
        if let Some((key, n)) = of(&["startAt", "offset"])
            && n.as_u64() != Some(0)
        {
            return Some(format!("`{key}` is {n}"));
        }
        let more = [
            ("isLast", Value::Bool(false)),
            ("hasNextPage", Value::Bool(true)),
            ("has_next_page", Value::Bool(true)),
            ("has_more", Value::Bool(true)),
            ("hasMore", Value::Bool(true)),
            ("incomplete_results", Value::Bool(true)),
            ("truncated", Value::Bool(true)),
            ("is_truncated", Value::Bool(true)),
            ("partial", Value::Bool(true)),
        ];
        if let Some((key, is)) = more.iter().find(|(key, is)| place.get(*key) == Some(is)) {
            return Some(format!("`{key}` is {is}"));
        }
        if let Some((key, _)) = of(&["errors", "error"])
            .filter(|(_, found)| !found.is_null() && found.as_array().is_none_or(|e| !e.is_empty()))
        {
            return Some(format!("it tells `{key}`"));
        }
        if let Some((key, next)) = of(&["nextPageToken", "next_page", "nextPage", "next"])
            && !next.is_null()
            && next.as_str() != Some("")
        {
            return Some(format!("there is another page, `{key}`"));
        }
    }
    None
}

fn list(export: &mut Export, value: &Value, fields: &Fields) -> Result<(), String> {
    let Value::Array(items) = value else {
        return Err("expected a list of issues".to_owned());
    };
    for (n, item) in items.iter().enumerate() {
        let (row, changed) = of_json(item, fields).map_err(|e| format!("issue {}: {e}", n + 1))?;
        export.take(row, changed)?;
    }
    Ok(())
}

/// A text, or what names it: a number, `{name}`, `{key}`, `{number}`, `{id}`.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Object(map) => ["name", "key", "identifier", "number", "id"]
            .iter()
            .find_map(|key| map.get(*key))
            .filter(|inner| !inner.is_object())
            .and_then(plain),
        _ => None,
    }
}

fn kept(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut kept: String = clean.take(TEXT).collect();
    kept.truncate(kept.trim_end().len());
    kept
}

fn of_json(value: &Value, fields: &Fields) -> Result<(Row, Option<Timestamp>), String> {
    let Value::Object(map) = value else {
        return Err("expected an object".to_owned());
    };
    // Fields of a tracker's REST answer lie one level deeper.
    let inner = map.get("fields").and_then(Value::as_object);
    let all = |names: &[String]| -> Vec<&Value> {
        let of = |name: &String| {
            let pairs = map.iter().chain(inner.into_iter().flatten());
            let name = name.to_lowercase();
            pairs
                .filter(move |(key, _)| key.to_lowercase() == name)
                .map(|(_, value)| value)
        };
        names.iter().flat_map(of).collect()
    };
    let find = |names: &[String]| all(names).into_iter().next();
    let text = |names: &[String]| find(names).and_then(plain).unwrap_or_default();
    let states = all(&fields.status);
    if states.is_empty() {
        return Err("it has no state".to_owned());
    }
    let groups = states.iter().filter_map(|state| {
        let mut keys = state.as_object()?.iter();
        let is_group = |key: &str| CATEGORY.contains(&key.to_lowercase().as_str());
        keys.find(|(key, _)| is_group(key)).map(|(_, group)| group)
    });
    let beside = CATEGORY.map(str::to_owned);
    let groups: Vec<String> = groups
        .chain(all(&beside))
        .filter_map(|group| against(&plain(group)?))
        .collect();
    let lanes = all(&PLACE.map(str::to_owned)).into_iter().filter_map(plain);
    let own = states
        .into_iter()
        .map(|state| plain(state).unwrap_or_default());
    let states = states_of(own.collect(), groups, lanes);
    let labels = match find(&fields.labels) {
        Some(Value::Array(items)) => items.iter().filter_map(plain).collect(),
        Some(Value::String(text)) => split(text),
        _ => Vec::new(),
    };
    let parent = find(&fields.parent).and_then(plain).or_else(|| above(map));
    let changed = find(&fields.changed).and_then(Value::as_str);
    Ok((
        row(
            &text(&fields.id),
            &text(&fields.title),
            &states,
            &text(&fields.kind),
            &labels,
            parent.as_deref(),
        )?,
        changed.and_then(|t| t.parse().ok()),
    ))
}

/// The item above, where a tracker keeps it among the dependencies.
fn above(map: &serde_json::Map<String, Value>) -> Option<String> {
    let all = map.get("dependencies")?.as_array()?;
    let found = all.iter().find(|dependency| {
        let kind = dependency
            .get("type")
            .or_else(|| dependency.get("dependency_type"));
        kind.and_then(Value::as_str) == Some("parent-child")
    })?;
    found.get("depends_on_id").and_then(plain)
}

fn split(text: &str) -> Vec<String> {
    let parts = text.split([',', ';']).map(str::trim);
    parts.filter(|p| !p.is_empty()).map(str::to_owned).collect()
}

fn row(
    id: &str,
    title: &str,
    states: &[String],
    kind: &str,
    labels: &[String],
    parent: Option<&str>,
) -> Result<Row, String> {
    let id = id.trim();
    if id.is_empty() || id.len() > TEXT || id.chars().any(char::is_control) {
        return Err("it has no id that can be used".to_owned());
    }
    let mut labels: Vec<String> = labels.iter().take(200).map(|l| kept(l)).collect();
    labels.sort();
    labels.dedup();
    // A field that is empty beside one that is not says nothing.
    let mut states: Vec<String> = states.iter().map(|state| kept(state)).collect();
    if states.iter().any(|state| !state.trim().is_empty()) {
        states.retain(|state| !state.trim().is_empty());
    }
    Ok(Row {
        issue: Issue {
            id: id.to_owned(),
            title: kept(title),
            status: states.first().cloned().unwrap_or_default(),
            issue_type: kept(kind),
            labels,
        },
        states,
        parent: parent
            .map(|p| p.trim().to_owned())
            .filter(|p| !p.is_empty() && p.len() <= TEXT),
    })
}

fn csv(export: &mut Export, text: &str, fields: &Fields) -> Result<(), String> {
    let mut records = super::csv::records(text)?.into_iter();
    let header = records.next().unwrap_or_default();
    let header: Vec<String> = header.iter().map(|h| h.trim().to_lowercase()).collect();
    let columns = |names: &[String]| -> Vec<usize> {
        let places = |name: &String| -> Vec<usize> {
            let same = |(_, h): &(usize, &String)| **h == name.to_lowercase();
            header
                .iter()
                .enumerate()
                .filter(same)
                .map(|(at, _)| at)
                .collect()
        };
        let found = names.iter().map(places).find(|found| !found.is_empty());
        found.unwrap_or_default()
    };
    let id = columns(&fields.id);
    let status: Vec<usize> = fields
        .status
        .iter()
        .flat_map(|name| columns(std::slice::from_ref(name)))
        .collect();
    if id.is_empty() || status.is_empty() {
        return Err("the header has no column for the id, or none for the state".to_owned());
    }
    let named = |names: &[&str]| -> Vec<usize> {
        let each = names.iter();
        each.flat_map(|name| columns(&[(*name).to_owned()]))
            .collect()
    };
    let (groups, lanes) = (named(&CATEGORY), named(&PLACE));
    let all = [
        &fields.title,
        &fields.kind,
        &fields.labels,
        &fields.parent,
        &fields.changed,
    ];
    let [title, kind, labels, parent, changed] = all.map(|names| columns(names));
    for (n, record) in records.enumerate() {
        let first = |places: &[usize]| places.first().map_or("", |at| record[*at].as_str());
        let labels: Vec<String> = labels.iter().flat_map(|at| split(&record[*at])).collect();
        let all = |places: &[usize]| -> Vec<String> {
            places.iter().map(|at| record[*at].clone()).collect()
        };
        let groups = all(&groups)
            .iter()
            .filter_map(|group| against(group))
            .collect();
        let row = row(
            first(&id),
            first(&title),
            &states_of(all(&status), groups, all(&lanes).into_iter()),
            first(&kind),
            &labels,
            Some(first(&parent)),
        );
        let row = row.map_err(|e| format!("record {}: {e}", n + 2))?;
        export.take(row, first(&changed).parse().ok())?;
    }
    Ok(())
}
