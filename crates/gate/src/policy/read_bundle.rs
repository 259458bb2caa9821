//! Reads what an evidence bundle must have: `[[bundle.section]]`, `[[bundle.lineage]]`.

use super::{Check, Gate};
use crate::bundle::{Contents, Lineage, MOST, Wanted};
use crate::strict::Table;

/// Begins the path of a section that is what a gate computed: `computed:GATE`.
pub const COMPUTED: &str = "computed:";

pub(super) fn bundle(table: Table<'_>, gates: &[Gate]) -> Option<Contents> {
    let sections = table.need("section", table.tables("section"))?;
    let lineage = table.tables("lineage").unwrap_or_default();
    if sections.len() + lineage.len() > MOST {
        table.refuse("section", format!("there are more than {MOST}"));
    }
    let mut contents = Contents::default();
    for section in sections {
        contents.sections.extend(wanted(&section, gates));
        section.finish();
    }
    let has = |id: &str| contents.sections.iter().any(|s| s.id == id);
    for line in lineage {
        let id = line.need("id", line.text("id"));
        let sections = line.need("sections", line.texts("sections"));
        for section in sections.iter().flatten().filter(|s| !has(s)) {
            line.refuse("sections", format!("there is no section `{section}`"));
        }
        let pointer = line.need("pointer", line.text("pointer"));
        if let Some(Err(why)) = pointer.as_deref().map(super::check::check_pointer) {
            line.refuse("pointer", why);
        }
        let (within, expected) = (line.parsed("within"), line.text("expected"));
        if let (Some(id), Some(sections), Some(pointer)) = (id, sections, pointer) {
            if sections.is_empty() {
                line.refuse("sections", "there is none, so nothing would be compared");
            }
            contents.lineage.push(Lineage {
                id,
                sections,
                pointer,
                within,
                expected,
            });
        }
        line.finish();
    }
    if !contents.sections.iter().any(|s| s.required) {
        table.refuse(
            "section",
            "none is required, so no bundle would ever be complete",
        );
    }
    let mut ids: Vec<&str> = contents.sections.iter().map(|s| s.id.as_str()).collect();
    ids.sort_unstable();
    for pair in ids.windows(2).filter(|pair| pair[0] == pair[1]) {
        table.refuse("section", format!("`{}` stands twice", pair[0]));
    }
    table.finish();
    Some(contents)
}

fn wanted(table: &Table<'_>, gates: &[Gate]) -> Option<Wanted> {
    let id = table.need("id", table.text("id"));
    let path = table.need("path", table.text("path"));
    let required = table.need("required", table.flag("required"));
    let (label, category) = (table.text("label"), table.text("category"));
    let schema = table.text("schema");
    let (id, path) = (id?, path?);
    if let Some(gate) = path.strip_prefix(COMPUTED) {
        let is_there = gates
            .iter()
            .any(|g| g.id == gate && matches!(g.check, Check::Computed(_)));
        if !is_there {
            table.refuse("path", format!("no gate `{gate}` computes anything"));
        }
    } else if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        table.refuse("path", "it leaves the project");
    }
    Some(Wanted {
        label: label.unwrap_or_else(|| id.clone()),
        category: category.unwrap_or_else(|| "evidence".to_owned()),
        id,
        required: required?,
        artifact_path: path,
        schema,
    })
}
