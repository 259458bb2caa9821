//! Reads HTML and Markdown as a browser or a Git host would, just enough to see what is markup in them.

use pulldown_cmark::{Event, Options, Parser, Tag};

/// What of a Markdown text is markup.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Markup {
    pub(crate) headings: Vec<String>,
    pub(crate) links: Vec<String>,
    pub(crate) html: Vec<String>,
    pub(crate) tables: usize,
    pub(crate) cells: Vec<usize>,
    pub(crate) code_blocks: usize,
}

pub(crate) fn markup(text: &str) -> Markup {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_MATH
        | Options::ENABLE_GFM;
    let mut out = Markup::default();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, options) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(pulldown_cmark::TagEnd::Heading(_)) => out.headings.extend(heading.take()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                out.links.push(dest_url.to_string())
            }
            Event::Html(html) | Event::InlineHtml(html) => out.html.push(html.to_string()),
            Event::FootnoteReference(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                out.links.push(text.to_string())
            }
            Event::Start(Tag::Table(columns)) => {
                out.tables += 1;
                out.cells.push(columns.len());
            }
            Event::Start(Tag::CodeBlock(_)) => out.code_blocks += 1,
            _ => {}
        }
    }
    out
}

/// Checks a page: only elements and attributes that we write, all closed in order. Returns its visible text.
pub(crate) fn checked(page: &str) -> String {
    const VOID: &[&str] = &["meta", "br", "link"];
    const ELEMENTS: &[&str] = &[
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "header",
        "footer",
        "h1",
        "h2",
        "h3",
        "p",
        "div",
        "section",
        "span",
        "strong",
        "ul",
        "li",
        "dl",
        "dt",
        "dd",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "bdi",
        "br",
        "figure",
        "figcaption",
        "svg",
        "desc",
        "rect",
        "line",
        "text",
        "path",
        "defs",
        "pattern",
        "circle",
    ];
    const FORBIDDEN: &[&str] = &[
        "style",
        "href",
        "src",
        "srcdoc",
        "action",
        "formaction",
        "xlink:href",
    ];
    let mut open: Vec<&str> = Vec::new();
    let mut shown = String::new();
    let mut rest = page.strip_prefix("<!doctype html>").expect("a doctype");
    while let Some(start) = rest.find('<') {
        shown.push_str(&rest[..start]);
        let end = rest[start..].find('>').expect("a tag ends") + start;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(
                open.pop(),
                Some(name),
                "elements are closed in order near {:.80}",
                rest
            );
            continue;
        }
        let closed = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let name = tag.split_whitespace().next().unwrap_or_default();
        assert!(ELEMENTS.contains(&name), "<{tag}> is none of ours");
        // Outside of quotes there may be no quote, and inside no bracket: `html` has escaped both.
        let attributes: Vec<&str> = tag[name.len()..].split('"').collect();
        assert!(attributes.len() % 2 == 1, "<{tag}> has an odd quote");
        for attribute in attributes.iter().step_by(2) {
            let attribute = attribute.trim().trim_end_matches('=');
            assert!(
                attribute
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '-'),
                "<{tag}> has `{attribute}`"
            );
            assert!(
                !attribute.starts_with("on") && !FORBIDDEN.contains(&attribute),
                "<{tag}>"
            );
        }
        if !closed && !VOID.contains(&name) {
            open.push(name);
        }
        if name == "style" {
            let end = rest.find("</style>").expect("the style sheet ends");
            rest = &rest[end..];
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    shown
}
