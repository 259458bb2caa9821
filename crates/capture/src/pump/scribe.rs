//! The scribe: writes both views in a thread of its own, so that judging does not wait for the file system.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use gonogo_dryrun::live::Views;
use gonogo_dryrun::spec::Capture;
use serde::{Deserialize, Serialize};

use super::judge::complain;
use super::view::{Mark, View};
use crate::clock::nanos;

/// How many texts wait.
const QUEUE: usize = 4;

/// How far both views are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Marks {
    pub(super) log: Mark,
    pub(super) jsonl: Mark,
    /// When the parts began, on the boot clock.
    pub(super) began: u64,
}

enum Order {
    Text(Views, u64),
    Rotate,
    Flush,
    Mark(Sender<Marks>),
    Finish(Sender<(Marks, bool)>),
}

/// Where the judge hands in what the views show.
pub(super) struct Scribe {
    orders: SyncSender<Order>,
    empty: Receiver<Views>,
    thread: Option<JoinHandle<()>>,
}

impl Scribe {
    pub(super) fn start(
        log: View,
        jsonl: View,
        marks: Marks,
        capture: &Capture,
        cut: PathBuf,
    ) -> io::Result<Self> {
        let (orders, received) = sync_channel(QUEUE);
        let (empty_out, empty) = channel();
        let desk = Desk {
            views: Some([log, jsonl]),
            marks,
            capture: capture.clone(),
            cut,
            rotate: false,
            empty: empty_out,
        };
        let thread = std::thread::Builder::new()
            .name("scribe".to_owned())
            .spawn(move || desk.work(&received))?;
        Ok(Self {
            orders,
            empty,
            thread: Some(thread),
        })
    }

    /// Hands in lines of both views; `now` is the boot clock. Leaves an empty text.
    pub(super) fn write(&self, text: &mut Views, now: u64) {
        if text.log.is_empty() && text.jsonl.is_empty() {
            return;
        }
        let next = self.empty.try_recv().unwrap_or_default();
        let full = std::mem::replace(text, next);
        let _ = self.orders.send(Order::Text(full, now));
    }

    pub(super) fn rotate(&self) {
        let _ = self.orders.send(Order::Rotate);
    }

    /// Makes readable what was handed in.
    pub(super) fn flush(&self) {
        let _ = self.orders.try_send(Order::Flush);
    }

    /// Waits until all that was handed in is in the files, and returns how far they are.
    pub(super) fn marks(&self) -> Option<Marks> {
        let (reply, marks) = channel();
        self.orders.send(Order::Mark(reply)).ok()?;
        marks.recv().ok()
    }

    /// Closes the files. Also returns whether everything is in them.
    pub(super) fn finish(&mut self) -> Option<(Marks, bool)> {
        let (reply, marks) = channel();
        self.orders.send(Order::Finish(reply)).ok()?;
        let marks = marks.recv().ok();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        marks
    }
}

struct Desk {
    views: Option<[View; 2]>,
    marks: Marks,
    capture: Capture,
    /// Made when something is missing in the views.
    cut: PathBuf,
    rotate: bool,
    empty: Sender<Views>,
}

impl Desk {
    fn work(mut self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            let done = match &order {
                Order::Text(text, now) => self.write(text, *now),
                Order::Rotate => {
                    self.rotate = true;
                    Ok(())
                }
                Order::Flush | Order::Mark(_) => self.each(View::flush),
                Order::Finish(_) => self.each(View::finish),
            };
            if let Err(e) = done {
                // The raw bytes are the truth; the views can be made from them.
                complain(&format!("the views cannot be written: {e}"));
                self.views = None;
                let _ = File::create(&self.cut);
            }
            match order {
                Order::Text(mut text, _) => {
                    text.log.clear();
                    text.jsonl.clear();
                    let _ = self.empty.send(text);
                }
                Order::Mark(reply) => {
                    let _ = reply.send(self.marked());
                }
                Order::Finish(reply) => {
                    let _ = reply.send((self.marked(), self.views.is_some()));
                    return;
                }
                Order::Rotate | Order::Flush => {}
            }
        }
    }

    fn marked(&mut self) -> Marks {
        if let Some([log, jsonl]) = &self.views {
            self.marks.log = log.mark();
            self.marks.jsonl = jsonl.mark();
        }
        self.marks
    }

    fn each(&mut self, act: impl Fn(&mut View) -> io::Result<()>) -> io::Result<()> {
        self.views.iter_mut().flatten().try_for_each(act)
    }

    /// Writes lines; before them a new part begins, if it is due.
    fn write(&mut self, text: &Views, now: u64) -> io::Result<()> {
        let Some([log, jsonl]) = &mut self.views else {
            return Ok(());
        };
        let old = self
            .capture
            .rotate_seconds
            .is_some_and(|seconds| now.saturating_sub(self.marks.began) >= nanos(seconds));
        let big = self
            .capture
            .rotate_bytes
            .is_some_and(|limit| log.raw() >= limit);
        if (self.rotate || old || big) && log.raw() > 0 {
            self.rotate = false;
            self.marks.began = now;
            log.rotate()?;
            jsonl.rotate()?;
        }
        log.write(&text.log)?;
        jsonl.write(&text.jsonl)
    }
}
