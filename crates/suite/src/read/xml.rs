//! XML as report readers need it: quick-xml over a window of the source, so that nothing grows with the document.
//!
//! The window holds some hundred kilobytes. Long texts go through it in pieces; a tag longer than [`Limits::token`] is given cut,
//! with an issue. Elements are balanced before a [`Handler`] sees them: what is never closed, or closed by somebody else's end tag,
//! ends with [`End::Cut`]. Nothing is expanded but the five entities of XML and numeric references; a document type is not read.
//! Invariants: no recursion, memory bounded by the limits, every byte looked at a bounded number of times.

pub(super) mod ids;
mod notes;
mod source;
pub(super) mod times;
mod token;
mod tree;
mod value;

use std::io::BufRead;

use memchr::memmem::Finder;
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use quick_xml::{Error, errors::SyntaxError};

use self::source::{Offsets, Source};
use self::token::{Attribute, Token, Tokens};
use self::tree::Tree;
use super::Limits;
use crate::{IssueKind, Place};

pub(super) use self::notes::Notes;
pub(super) use self::value::{Head, Tail, edged, owned, plain, simple, truth};

/// Whether a handler wants more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// Yes.
    On,
    /// No: the rest is not read.
    Stop,
}

/// How an element ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By its own end tag.
    Whole,
    /// It did not: the document ended, or an outer element did.
    Cut,
}

/// Takes what is in a document.
pub(super) trait Handler {
    /// An element begins. [`Handler::end`] is called for each, also for an empty one.
    fn start(&mut self, tag: &Tag<'_>) -> Flow;
    /// The innermost open element ends; `place` is that of its end tag.
    fn end(&mut self, place: Place, end: End) -> Flow;
    /// A piece of text, references resolved.
    fn text(&mut self, piece: &str, at: u64);
    /// A document type, without its brackets.
    fn doctype(&mut self, text: &str, at: u64) -> Flow;
    /// Where issues are noted.
    fn notes(&mut self) -> &mut Notes;
}

/// A start tag.
pub(super) struct Tag<'t> {
    name: &'t str,
    written: Written<'t>,
    /// Where it stands.
    pub(super) place: Place,
    /// Whether it is longer than the limit, and attributes are missing.
    pub(super) is_cut: bool,
    /// Open elements around it.
    pub(super) depth: usize,
}

/// A tag's attributes.
#[derive(Clone, Copy)]
enum Written<'t> {
    /// Each of them.
    Read(&'t [Attribute<'t>]),
    /// What is behind the name.
    Raw(&'t str),
}

impl Tag<'_> {
    /// Its name without a namespace prefix.
    pub(super) fn name(&self) -> &str {
        local(self.name)
    }

    /// Its namespace prefix, empty if it has none.
    pub(super) fn prefix(&self) -> &str {
        self.name.rfind(':').map_or("", |colon| &self.name[..colon])
    }

    /// Its attributes: name without prefix, and raw value. Declarations of namespaces and schemas are left out.
    pub(super) fn attributes(
        &self,
        limits: &Limits,
        notes: &mut Notes,
        mut each: impl FnMut(&mut Notes, &str, &str),
    ) {
        let raw = match self.written {
            Written::Raw(raw) => raw,
            Written::Read(attributes) => {
                let kept = attributes.len().min(limits.attributes);
                for attribute in &attributes[..kept] {
                    if is_meant(attribute.prefix, attribute.key) {
                        each(notes, attribute.key, attribute.value);
                    }
                }
                if kept < attributes.len() {
                    self.tell_more(limits, notes);
                }
                return;
            }
        };
        let bytes = raw.as_bytes();
        let (mut seen, mut at) = (0, 0);
        loop {
            while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
                at += 1;
            }
            let from = at;
            let mut colon = None;
            while let Some(b) = bytes.get(at) {
                match b {
                    b'=' | b'"' | b'\'' | b' ' | b'\t' | b'\n' | b'\r' => break,
                    b':' => colon = Some(at),
                    _ => {}
                }
                at += 1;
            }
            if from == bytes.len() {
                return;
            }
            seen += 1;
            if seen > limits.attributes {
                self.tell_more(limits, notes);
                return;
            }
            let quote = bytes.get(at + 1).copied().filter(|q| b"\"'".contains(q));
            let value = match (bytes.get(at), quote) {
                (Some(b'='), Some(quote)) if at > from => {
                    let rest = &bytes[at + 2..];
                    memchr::memchr(quote, rest).filter(|end| {
                        rest.get(end + 1)
                            .is_none_or(|b| b.is_ascii_whitespace() || *b == b'/')
                    })
                }
                _ => None,
            };
            let Some(length) = value else {
                return self.odd_attributes(&raw[from..], seen, limits, notes, each);
            };
            let (prefix, key) = match colon {
                None => ("", &raw[from..at]),
                Some(colon) => (&raw[from..colon], &raw[colon + 1..at]),
            };
            let value = &raw[at + 2..at + 2 + length];
            if is_meant(prefix, key) {
                each(notes, key, value);
            }
            at += 3 + length;
        }
    }

    /// Attributes from the first one that is not written as they should be.
    fn odd_attributes(
        &self,
        raw: &str,
        mut seen: usize,
        limits: &Limits,
        notes: &mut Notes,
        mut each: impl FnMut(&mut Notes, &str, &str),
    ) {
        for attribute in Attributes::new(raw, 0).with_checks(false) {
            if seen > limits.attributes {
                self.tell_more(limits, notes);
                return;
            }
            seen += 1;
            match attribute {
                Ok(attribute) => {
                    let key = attribute.key.into_inner();
                    let (prefix, key) = key.split_once(':').unwrap_or(("", key));
                    if is_meant(prefix, key) {
                        each(notes, key, &attribute.value);
                    }
                }
                Err(_) if self.is_cut => return,
                Err(e) => {
                    let text = format!("<{}>: attributes cannot be read: {e}", self.name());
                    notes.tell(IssueKind::Unparsable, self.place.from, text);
                }
            }
        }
    }

    fn tell_more(&self, limits: &Limits, notes: &mut Notes) {
        let text = format!(
            "<{}> has more than {} attributes: the rest was not read",
            self.name(),
            limits.attributes
        );
        notes.tell(IssueKind::Limit, self.place.from, text);
    }
}

/// Whether an attribute is the document's own: no declaration of namespaces or schemas. The schema that it names tells its writer.
fn is_meant(prefix: &str, key: &str) -> bool {
    match prefix {
        "" => key != "xmlns",
        "xsi" => key == "noNamespaceSchemaLocation",
        _ => !matches!(prefix, "xmlns" | "xml"),
    }
}

fn local(name: &str) -> &str {
    let colon = name.bytes().rposition(|b| b == b':');
    colon.map_or(name, |colon| &name[colon + 1..])
}

/// Why the parser left a window.
enum Left {
    /// It is at its end.
    Empty,
    /// A token begins here and does not end in the window.
    Short,
    /// Something here is not UTF-8.
    NotUtf8,
    /// The handler has enough.
    Stopped,
}

/// Reads a document. The number of bytes that were read.
pub(super) fn drive<H: Handler>(source: &mut dyn BufRead, limits: &Limits, handler: &mut H) -> u64 {
    let mut source = Source::new(source, limits.token);
    let mut tree = Tree::new(limits.depth);
    let section_end = token::section_end();
    source.begin(handler.notes());
    loop {
        source.skip_mark();
        let end = source.usable();
        let last = source.is_last(end);
        let from = source.from;
        let slice = &source.window[from..end];
        let (used, left) = window(
            slice,
            from,
            last,
            (&mut source.offsets, &source.window),
            &section_end,
            &mut tree,
            handler,
        );
        source.from += used;
        let went_on = match left {
            Left::Stopped => return source.taken,
            Left::Empty if last => break,
            Left::Empty => {
                source.fill(handler.notes());
                true
            }
            Left::NotUtf8 => {
                if source.mend() {
                    let at = source.at();
                    handler.notes().tell(
                        IssueKind::OddValue,
                        at,
                        "bytes that are not UTF-8: read as `?`",
                    );
                }
                true
            }
            Left::Short => short(&mut source, &mut tree, limits, handler),
        };
        if !went_on {
            break;
        }
    }
    let at = source.at();
    if !tree.is_empty() {
        let text = format!(
            "the document ends inside <{}>: {} elements are not closed",
            tree.innermost(),
            tree.depth()
        );
        handler.notes().tell(IssueKind::Truncated, at, text);
    }
    tree.close(handler, 0, at);
    source.taken
}

/// Parses one window; how many of its bytes were used, and why it ended.
fn window<H: Handler>(
    slice: &[u8],
    base: usize,
    last: bool,
    (offsets, whole): (&mut Offsets, &[u8]),
    section_end: &Finder<'static>,
    tree: &mut Tree,
    handler: &mut H,
) -> (usize, Left) {
    let Ok(text) = std::str::from_utf8(slice) else {
        return (0, Left::NotUtf8);
    };
    let mut tokens = Tokens::new(text, section_end);
    let mut from = 0;
    while from < text.len() {
        let (to, flow) = match tokens.take(from) {
            Token::Start { name, is_empty, to } => {
                let written = Written::Read(tokens.attributes());
                let place = offsets.place(whole, base + from, base + to);
                let name = &text[from + 1..name];
                (
                    to,
                    tree.start(handler, (name, written), place, is_empty, false),
                )
            }
            Token::End { name, to } => {
                let place = offsets.place(whole, base + from, base + to);
                (to, tree.end(handler, &text[from + 2..name], place))
            }
            Token::Text { to } => {
                let piece = &text[from..to];
                if tree.is_open() || (tree.is_empty() && !piece.trim_ascii().is_empty()) {
                    handler.text(piece, offsets.of(whole, base + from));
                }
                (to, Flow::On)
            }
            Token::Section { to } => {
                if tree.is_open() {
                    let piece = &text[from + 9..to - 3];
                    handler.text(piece, offsets.of(whole, base + from));
                } else if tree.is_empty() {
                    handler.text(&text[from..to], offsets.of(whole, base + from));
                }
                (to, Flow::On)
            }
            Token::Reference { to } => {
                if tree.is_open() {
                    let name = &text[from + 1..to - 1];
                    reference(name, offsets.of(whole, base + from), handler);
                } else if tree.is_empty() {
                    handler.text(&text[from..to], offsets.of(whole, base + from));
                }
                (to, Flow::On)
            }
            // A reference may be cut by the window's edge.
            Token::Ampersand { to } if to == text.len() && !last && to - from < 64 => {
                return (from, Left::Short);
            }
            Token::Ampersand { to } => {
                if tree.is_open() || tree.is_empty() {
                    handler.text(&text[from..to], offsets.of(whole, base + from));
                }
                (to, Flow::On)
            }
            Token::Short => return (from, Left::Short),
            Token::Odd => {
                let at = (base + from, offsets.of(whole, base + from));
                match odd(&text[from..], at, (&mut *offsets, whole), tree, handler) {
                    Some((length, flow)) => (from + length, flow),
                    None => return (from, Left::Short),
                }
            }
        };
        if flow == Flow::Stop {
            return (to, Left::Stopped);
        }
        from = to;
    }
    (from, Left::Empty)
}

/// What begins with `<` and is written in another way than most: quick-xml says what it is. How long it is; `None` if its end is not
/// here.
fn odd<H: Handler>(
    text: &str,
    (base, at): (usize, u64),
    (offsets, whole): (&mut Offsets, &[u8]),
    tree: &mut Tree,
    handler: &mut H,
) -> Option<(usize, Flow)> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    let event = reader.read_event();
    let to = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
    let flow = match event {
        Ok(Event::Start(start) | Event::Empty(start)) if !is_name(start.name().into_inner()) => {
            return Some((stray(text, at, handler), Flow::On));
        }
        Ok(Event::Start(start)) => {
            let place = offsets.place(whole, base, base + to);
            tree.start(handler, head(&start), place, false, false)
        }
        Ok(Event::Empty(start)) => {
            let place = offsets.place(whole, base, base + to);
            tree.start(handler, head(&start), place, true, false)
        }
        Ok(Event::End(end)) => {
            let place = offsets.place(whole, base, base + to);
            tree.end(handler, end.name().into_inner(), place)
        }
        Ok(Event::DocType(text)) => handler.doctype(&text.into_inner(), at),
        Ok(Event::Decl(_)) => {
            if !tree.is_empty() {
                handler.notes().tell(
                    IssueKind::Truncated,
                    at,
                    "another document begins before this one ended",
                );
            }
            tree.close(handler, 0, at)
        }
        Ok(Event::Comment(_) | Event::PI(_)) => Flow::On,
        Err(Error::Syntax(error)) if !is_no_markup(text.as_bytes(), &error) => return None,
        Err(Error::IllFormed(error)) if to > 0 => {
            let text = format!("not well-formed: {error}");
            handler.notes().tell(IssueKind::Unparsable, at, text);
            Flow::On
        }
        // No token of these begins with `<`.
        Ok(Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) | Event::Eof) | Err(_) => {
            return Some((stray(text, at, handler), Flow::On));
        }
    };
    Some((to, flow))
}

/// Name and attributes of a tag that quick-xml read.
fn head<'s>(start: &'s BytesStart<'_>) -> (&'s str, Written<'s>) {
    (
        start.name().into_inner(),
        Written::Raw(start.attributes_raw()),
    )
}

/// Whether what begins with `<` can never become markup, however much follows.
fn is_no_markup(rest: &[u8], error: &SyntaxError) -> bool {
    match rest.get(1) {
        Some(b'!') => {
            let word = &rest[..rest.len().min(9)];
            let begins = |full: &[u8]| {
                let n = word.len().min(full.len());
                word[..n].eq_ignore_ascii_case(&full[..n])
            };
            !(begins(b"<!--") || begins(b"<![CDATA[") || begins(b"<!DOCTYPE"))
                // The word in small letters is no section of text.
                || (begins(b"<![CDATA[") && !b"<![CDATA[".starts_with(word))
        }
        Some(b'?') => rest.starts_with(b"<?>") && !matches!(error, SyntaxError::UnclosedTag),
        _ => false,
    }
}

/// Whether it can be an element's name. Names of scripts other than Latin are.
fn is_name(name: &str) -> bool {
    name.as_bytes()
        .first()
        .is_some_and(|&b| b.is_ascii_alphabetic() || b == b'_' || b == b':' || b >= 0x80)
        && !name.bytes().any(|b| b == b'<')
}

/// Gives a reference's text.
fn reference<H: Handler>(name: &str, at: u64, handler: &mut H) {
    match value::entity(name) {
        Some(c) => handler.text(c.encode_utf8(&mut [0; 4]), at),
        None => {
            let text = format!("&{name}; is no entity of XML: it is not replaced");
            handler.notes().tell(IssueKind::OddValue, at, text);
            handler.text("&", at);
            handler.text(name, at);
            handler.text(";", at);
        }
    }
}

/// A `<` that begins no tag: text, up to the next one that may; how long it is.
fn stray<H: Handler>(text: &str, at: u64, handler: &mut H) -> usize {
    handler.notes().tell(
        IssueKind::Unparsable,
        at,
        "a `<` that begins no tag: read as text",
    );
    let bytes = text.as_bytes();
    let mut to = 1;
    loop {
        match memchr::memchr(b'<', &bytes[to..]) {
            None => {
                to = bytes.len();
                break;
            }
            Some(next) => {
                to += next;
                // At the window's edge it may still become a tag.
                if bytes
                    .get(to + 1)
                    .is_none_or(|b| b.is_ascii_alphabetic() || b"_:/!?".contains(b) || *b >= 0x80)
                {
                    break;
                }
                to += 1;
            }
        }
    }
    handler.text(&text[..to], at);
    to
}

/// A token that does not end in the window: reads more, or takes it in pieces. `false` at the document's end.
fn short<H: Handler>(
    source: &mut Source<'_>,
    tree: &mut Tree,
    limits: &Limits,
    handler: &mut H,
) -> bool {
    let at = source.at();
    if source.fill(handler.notes()) {
        return true;
    }
    let rest = &source.window[source.from..source.to];
    let is_over = source.is_over();
    let is_bang = rest.starts_with(b"<!");
    if rest.starts_with(b"<![CDATA[") {
        let open = tree.is_open();
        let found = source.stream(9, b"]]>", |piece, odd| {
            if odd {
                handler.notes().tell(
                    IssueKind::OddValue,
                    at,
                    "bytes that are not UTF-8: read as `?`",
                );
            }
            if open {
                handler.text(piece, at);
            }
        });
        return found || truncated(source, handler, "a section of text");
    }
    for (open, close, what) in [
        (&b"<!--"[..], &b"-->"[..], "a comment"),
        (b"<?", b"?>", "an instruction"),
    ] {
        if rest.starts_with(open) {
            return source.stream(open.len(), close, |_, _| ()) || truncated(source, handler, what);
        }
    }
    if is_over {
        if rest.starts_with(b"<") && rest.len() > 1 {
            return truncated(source, handler, "a tag");
        }
        if rest.starts_with(b"<") {
            return truncated(source, handler, "a tag's beginning");
        }
        // Nothing else is held back at the end.
        source.from = source.to;
        return true;
    }
    if source.grow() {
        source.fill(handler.notes());
        return true;
    }
    if is_bang {
        let text = format!("a document type of more than {} bytes", limits.token);
        handler.notes().tell(IssueKind::Limit, at, text);
        return false;
    }
    long_tag(source, tree, limits, handler)
}

fn truncated<H: Handler>(source: &mut Source<'_>, handler: &mut H, what: &str) -> bool {
    let at = source.at();
    let text = format!("the document ends inside {what}");
    handler.notes().tell(IssueKind::Truncated, at, text);
    source.from = source.to;
    false
}

/// A tag longer than the limit: its beginning counts, the rest is passed over.
fn long_tag<H: Handler>(
    source: &mut Source<'_>,
    tree: &mut Tree,
    limits: &Limits,
    handler: &mut H,
) -> bool {
    let from = source.at();
    let mut content =
        String::from_utf8_lossy(&source.window[source.from + 1..source.to]).into_owned();
    let (quote, closing) = source.skip_tag();
    let text = format!(
        "a tag of more than {} bytes: what is beyond was not read",
        limits.token
    );
    handler.notes().tell(IssueKind::Limit, from, text);
    if let Some(quote) = quote {
        content.push(char::from(quote));
    }
    let place = Place {
        from,
        to: source.at(),
    };
    if let Some(name) = content.strip_prefix('/') {
        let end = name
            .find(|c: char| c.is_ascii_whitespace())
            .unwrap_or(name.len());
        return tree.end(handler, &name[..end], place) == Flow::On;
    }
    let name = content
        .find(|c: char| c.is_ascii_whitespace() || c == '/')
        .unwrap_or(content.len());
    let start = BytesStart::from_content(content.as_str(), name);
    let Some(is_empty) = closing else {
        tree.start(handler, head(&start), place, false, true);
        return truncated(source, handler, "a tag");
    };
    tree.start(handler, head(&start), place, is_empty, true) == Flow::On
}
