//! Open elements: only what is balanced reaches a handler.

use super::{End, Flow, Handler, Tag, Written};
use crate::{IssueKind, Place};

/// Bytes of a name that are compared.
const NAME: usize = 256;

/// Names of the open elements.
pub(super) struct Tree {
    names: Vec<u8>,
    /// Where each name begins.
    starts: Vec<usize>,
    limit: usize,
    /// Open elements beyond the limit.
    over: u64,
}

impl Tree {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            names: Vec::new(),
            starts: Vec::new(),
            limit,
            over: 0,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Whether text belongs to an element that the handler knows of.
    pub(super) const fn is_open(&self) -> bool {
        self.over == 0 && !self.starts.is_empty()
    }

    pub(super) const fn depth(&self) -> u64 {
        self.starts.len() as u64 + self.over
    }

    pub(super) fn innermost(&self) -> String {
        let from = self.starts.last().copied().unwrap_or(0);
        let name = String::from_utf8_lossy(&self.names[from..]);
        name.chars().take(60).collect()
    }

    pub(super) fn start<H: Handler>(
        &mut self,
        handler: &mut H,
        (name, written): (&str, Written<'_>),
        place: Place,
        is_empty: bool,
        is_cut: bool,
    ) -> Flow {
        if self.starts.len() >= self.limit {
            if self.over == 0 {
                let text = format!(
                    "elements are nested deeper than {}: what is deeper was not read",
                    self.limit
                );
                handler.notes().tell(IssueKind::Limit, place.from, text);
            }
            self.over += u64::from(!is_empty);
            return Flow::On;
        }
        let tag = Tag {
            name,
            written,
            place,
            is_cut,
            depth: self.starts.len(),
        };
        let flow = handler.start(&tag);
        if is_empty {
            return match handler.end(place, End::Whole) {
                Flow::Stop => Flow::Stop,
                Flow::On => flow,
            };
        }
        self.starts.push(self.names.len());
        self.names.extend_from_slice(head(name));
        flow
    }

    pub(super) fn end<H: Handler>(&mut self, handler: &mut H, name: &str, place: Place) -> Flow {
        if self.over > 0 {
            self.over -= 1;
            return Flow::On;
        }
        let Some(&from) = self.starts.last() else {
            return unmatched(handler, name, place);
        };
        if &self.names[from..] == head(name) {
            self.names.truncate(from);
            self.starts.pop();
            return handler.end(place, End::Whole);
        }
        // Not the innermost: it closes all up to its own start, if there is one.
        let mut behind = self.names.len();
        for i in (0..self.starts.len()).rev() {
            let from = self.starts[i];
            if &self.names[from..behind] == head(name) {
                let text = format!(
                    "</{}> closes <{}>, which is not closed itself",
                    shown(name),
                    self.innermost()
                );
                handler
                    .notes()
                    .tell(IssueKind::Unparsable, place.from, text);
                if self.close(handler, i + 1, place.from) == Flow::Stop {
                    return Flow::Stop;
                }
                self.names.truncate(from);
                self.starts.truncate(i);
                return handler.end(place, End::Whole);
            }
            behind = from;
        }
        unmatched(handler, name, place)
    }

    /// Closes all elements above the first `keep`, none of which has an end tag.
    pub(super) fn close<H: Handler>(&mut self, handler: &mut H, keep: usize, at: u64) -> Flow {
        self.over = 0;
        let place = Place { from: at, to: at };
        while self.starts.len() > keep {
            if let Some(from) = self.starts.pop() {
                self.names.truncate(from);
            }
            if handler.end(place, End::Cut) == Flow::Stop {
                return Flow::Stop;
            }
        }
        Flow::On
    }
}

fn head(name: &str) -> &[u8] {
    &name.as_bytes()[..name.len().min(NAME)]
}

fn unmatched<H: Handler>(handler: &mut H, name: &str, place: Place) -> Flow {
    let text = format!("</{}> closes nothing that is open", shown(name));
    handler
        .notes()
        .tell(IssueKind::Unparsable, place.from, text);
    Flow::On
}

fn shown(name: &str) -> String {
    name.chars().take(60).collect()
}
