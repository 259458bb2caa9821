//! Charts as SVG: no scripts, no fonts of their own, readable by people who see colours, people who do not, screen readers and printers.
//!
//! Each chart is a [`Figure`]: a drawing with `role="img"`, a title and a description that states the finding, and the same data in a
//! small table beside it. Positions along time are percentages, so a drawing is as wide as its place and its letters stay as large as
//! they are. Colours come from the page's custom properties; what a colour says, a shape, a pattern or a place says too.
//!
//! Invariants: same data, same bytes; whatever the numbers, no coordinate is NaN or outside of the drawing.

use std::fmt::Write as _;

use crate::Status;
use crate::review::escape::html;
use crate::watch::duration::{brief, trimmed};

mod levels;
mod resources;
mod time;

pub use levels::{class as level_class, levels};
pub use resources::resources;
pub use time::{incidents, rate, silences};

/// Rows of a table beside a chart.
pub const ROWS: usize = 12;

/// A chart, with what it says in words and numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Unique in its page; letters and `-`.
    pub id: &'static str,
    /// What is shown.
    pub title: &'static str,
    /// What it shows: one or two sentences. Plain text.
    pub finding: String,
    /// The drawing (an `svg` element); absent if there is nothing to draw.
    pub svg: Option<String>,
    /// Table: heads.
    pub heads: Vec<&'static str>,
    /// Table: rows. Plain text; escaped when rendered.
    pub rows: Vec<Vec<String>>,
    /// What the rows leave out, if anything.
    pub rest: String,
}

impl Figure {
    /// Renders the figure for a page that has this module's [`STYLE`].
    pub fn html(&self) -> String {
        let mut out = String::with_capacity(4 * 1024);
        let _ = write!(
            out,
            "<figure class=\"figure\" id=\"{id}\">\n<figcaption><h3>{title}</h3><p>{finding}</p></figcaption>\n",
            id = self.id,
            title = html(self.title),
            finding = html(&self.finding),
        );
        let Some(svg) = &self.svg else {
            out.push_str(
                "</figure>
",
            );
            return out;
        };
        let _ = writeln!(out, "<div class=\"plot\">{svg}</div>");
        if !self.rows.is_empty() {
            let _ = write!(
                out,
                "<div class=\"data\" tabindex=\"0\" role=\"region\" aria-label=\"{}: data\"><table><thead><tr>",
                html(self.title)
            );
            for head in &self.heads {
                let _ = write!(out, "<th scope=\"col\">{}</th>", html(head));
            }
            out.push_str("</tr></thead><tbody>\n");
            for row in &self.rows {
                out.push_str("<tr>");
                for cell in row {
                    let class = match cell.chars().count() > 18 {
                        true => " class=\"long\"",
                        false => "",
                    };
                    let _ = write!(out, "<td{class}><bdi>{}</bdi></td>", html(cell));
                }
                out.push_str("</tr>\n");
            }
            out.push_str("</tbody></table>");
            if !self.rest.is_empty() {
                let _ = write!(out, "<p class=\"rest\">{}</p>", html(&self.rest));
            }
            out.push_str("</div>\n");
        }
        out.push_str("</figure>\n");
        out
    }
}

/// What the charts need of a page's style sheet. Uses the properties `--ink`, `--muted`, `--line`, `--surface`, `--accent`, `--pass`, `--warn`, `--fail`,
/// `--invalid`.
pub const STYLE: &str = "\
.figure{margin:0;padding:1rem 1.125rem;background:var(--surface);border:1px solid var(--line);border-radius:.5rem;min-width:0;\
display:grid;grid-template-columns:minmax(0,1fr);gap:.75rem 1.75rem;break-inside:avoid}
.figure h3{margin:0;font-size:1rem}
.figure figcaption p{margin:.125rem 0 0;color:var(--muted);font-size:.875rem}
.plot{min-width:0;padding:0 .375rem}
.chart{display:block;overflow:visible;font:.75rem/1 var(--sans)}
.chart text{fill:var(--muted);unicode-bidi:isolate}
.chart .strong{fill:var(--ink)}
.chart .over{paint-order:stroke;stroke:var(--surface);stroke-width:3px;stroke-linejoin:round}
.chart .grid{stroke:var(--line);stroke-width:1}
.chart .base{stroke:var(--muted);stroke-width:1}
.chart .area{fill:var(--accent);fill-opacity:.2;stroke:var(--accent);stroke-width:1.5;stroke-linejoin:round}
.chart .limit{stroke:var(--fail);stroke-width:1.5;stroke-dasharray:6 4}
.chart .track{fill:var(--track)}
.chart .neutral{fill:var(--accent)}
.chart .pass{fill:var(--pass)}.chart .warn{fill:var(--warn)}.chart .fail{fill:var(--fail)}.chart .invalid{fill:var(--invalid)}
.chart .mark{stroke:var(--surface);stroke-width:1.25}
.chart .hollow{fill:var(--surface);stroke:var(--muted);stroke-width:1.75}
.chart .last{stroke-width:3;stroke-linecap:round;stroke-opacity:.55}
.chart .s-warn{stroke:var(--warn)}.chart .s-fail{stroke:var(--fail)}.chart .s-invalid{stroke:var(--invalid)}.chart .s-pass{stroke:var(--muted)}
.chart .edge{stroke-width:1.5}
.chart .e-warn{stroke:var(--warn)}.chart .e-fail{stroke:var(--fail)}.chart .e-blind{stroke:var(--invalid)}.chart .e-explained{stroke:var(--muted)}
.data{overflow:auto;font-size:.8125rem}
.data table{width:100%;font-variant-numeric:tabular-nums}
.data td{white-space:nowrap}.data .long{white-space:normal;overflow-wrap:anywhere;min-width:9rem}
.data thead th{position:sticky;top:0;background:var(--surface)}
.data .rest{margin:.375rem 0 0;color:var(--muted)}
@media (min-width:60rem){.figure:has(>.data){grid-template-columns:minmax(0,1fr) minmax(17rem,25rem)}.figure figcaption{grid-column:1/-1}.figure>.data{height:0;min-height:max(100%,10rem)}}
@media print{.figure>.data{overflow:visible;height:auto;min-height:0}.figure:has(>.data){grid-template-columns:minmax(0,1fr)}.data thead th{position:static}.chart *{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
";

/// Wraps a drawing.
fn drawing(id: &str, title: &str, finding: &str, height: f64, body: &str) -> String {
    format!(
        "<svg class=\"chart\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\" width=\"100%\" height=\"{}\">\
         <title id=\"{id}-title\">{}</title><desc id=\"{id}-desc\">{}</desc>\n{body}</svg>",
        num(height),
        html(title),
        html(finding),
    )
}

/// A number for a coordinate: finite, two decimals at most.
fn num(value: f64) -> String {
    trimmed(if value.is_finite() { value } else { 0.0 }, 2)
}

/// A span of time along the drawing's width.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Axis {
    from: f64,
    to: f64,
}

impl Axis {
    fn of(from: Option<i64>, to: Option<i64>) -> Option<Self> {
        let (from, to) = (from? as f64, to? as f64);
        (to > from).then_some(Self { from, to })
    }

    /// Share of the width, 0 to 1.
    fn share(self, at: i64) -> f64 {
        ((at as f64 - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    fn percent(self, at: i64) -> String {
        format!("{}%", num(self.share(at) * 100.0))
    }

    fn seconds(self) -> f64 {
        (self.to - self.from) / 1_000.0
    }

    /// Time since the left edge, for people.
    fn since(self, at: i64) -> String {
        brief(((at as f64 - self.from) / 1_000.0).max(0.0))
    }

    /// Labels and ticks: four quarters.
    fn labels(self, out: &mut String, y: f64) {
        for quarter in 0..=4_u32 {
            let share = f64::from(quarter) / 4.0;
            let anchor = match quarter {
                0 => "start",
                4 => "end",
                _ => "middle",
            };
            let text = match quarter {
                0 => "start".to_owned(),
                _ => brief(self.seconds() * share),
            };
            let _ = writeln!(
                out,
                "<text x=\"{}%\" y=\"{}\" text-anchor=\"{anchor}\">{text}</text>",
                num(share * 100.0),
                num(y),
            );
        }
    }
}

/// Grid lines from 0 to a round number that is at least `max`. Returns that number, and the labels, which go on top of what is drawn.
fn scale(out: &mut String, max: f64, top: f64, bottom: f64, unit: &str) -> (f64, String) {
    let ceiling = round_up(max);
    let mut labels = String::new();
    for (share, class) in [(0.0, "base"), (0.5, "grid"), (1.0, "grid")] {
        let y = bottom - (bottom - top) * share;
        let _ = writeln!(
            out,
            "<line class=\"{class}\" x1=\"0\" x2=\"100%\" y1=\"{y}\" y2=\"{y}\"/>",
            y = num(y)
        );
        if share > 0.0 {
            let _ = writeln!(
                labels,
                "<text class=\"over\" x=\"0\" y=\"{}\">{}{unit}</text>",
                num(y - 4.0),
                short(ceiling * share)
            );
        }
    }
    (ceiling, labels)
}

/// The next round number whose half is short, too.
fn round_up(max: f64) -> f64 {
    if !max.is_finite() || max <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(max.log10().floor());
    [1.0, 1.2, 1.6, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|step| *step >= max)
        .unwrap_or(max)
}

/// A number for an axis: `1.2 M`, `50 k`, `0.25`.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e9 => format!("{} G", trimmed(v / 1e9, 1)),
        v if v >= 1e6 => format!("{} M", trimmed(v / 1e6, 1)),
        v if v >= 1e4 => format!("{} k", trimmed(v / 1e3, 1)),
        v if v >= 10.0 => trimmed(v, 1),
        v => trimmed(v, 3),
    }
}

/// A stepped area in a frame that stretches with the drawing; `points` are shares of width (from, to) and of height.
fn area(out: &mut String, points: &[(f64, f64, f64)], top: f64, bottom: f64) {
    if points.is_empty() {
        return;
    }
    let height = bottom - top;
    let mut path = String::with_capacity(points.len() * 16);
    let mut right: Option<f64> = None;
    for &(from, to, share) in points {
        let (from, to) = (num(from * 1_000.0), to * 1_000.0);
        let y = num(height * (1.0 - share.clamp(0.0, 1.0)));
        // A hole in time is a hole in the drawing: no line over what nobody measured.
        match right {
            Some(edge) if num(edge) == from => {
                let _ = write!(path, "V{y}");
            }
            Some(_) => {
                let _ = write!(path, "V{h}ZM{from} {h}V{y}", h = num(height));
            }
            None => {
                let _ = write!(path, "M{from} {h}V{y}", h = num(height));
            }
        }
        let _ = write!(path, "H{}", num(to));
        right = Some(to);
    }
    let _ = write!(path, "V{}Z", num(height));
    let _ = writeln!(
        out,
        "<svg x=\"0\" y=\"{}\" width=\"100%\" height=\"{h}\" viewBox=\"0 0 1000 {h}\" preserveAspectRatio=\"none\">\
         <path class=\"area\" vector-effect=\"non-scaling-stroke\" d=\"{path}\"/></svg>",
        num(top),
        h = num(height),
    );
}

/// A mark whose shape says how bad: circle, triangle, cross, diamond. Hollow: accepted.
fn mark(out: &mut String, x: &str, y: f64, status: Status, accepted: bool) {
    let class = match (accepted, status) {
        (true, _) => "hollow",
        (false, Status::Pass) => "mark pass",
        (false, Status::Warn) => "mark warn",
        (false, Status::Fail) => "mark fail",
        (false, Status::Invalid) => "mark invalid",
    };
    let path = match status {
        Status::Pass => "M-5 0A5 5 0 1 0 5 0A5 5 0 1 0 -5 0Z",
        Status::Warn => "M0 -7L7 6H-7Z",
        Status::Fail => "M-7 -4L-4 -7L0 -3L4 -7L7 -4L3 0L7 4L4 7L0 3L-4 7L-7 4L-3 0Z",
        Status::Invalid => "M0 -8L8 0L0 8L-8 0Z",
    };
    let _ = writeln!(
        out,
        "<svg x=\"{x}\" y=\"{}\" overflow=\"visible\"><path class=\"{class}\" d=\"{path}\"/></svg>",
        num(y)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_round_and_never_too_small() {
        for (max, ceiling) in [
            (0.0, 1.0),
            (f64::NAN, 1.0),
            (3.0, 3.0),
            (4.1, 5.0),
            (99.0, 100.0),
            (0.035, 0.04),
        ] {
            assert!(
                (round_up(max) - ceiling).abs() < 1e-9,
                "{max}: {}",
                round_up(max)
            );
        }
        assert_eq!(short(4_000_480.0), "4 M");
        assert_eq!(short(0.25), "0.25");
    }

    #[test]
    fn a_hole_in_time_is_not_drawn_over() {
        let mut out = String::new();
        area(
            &mut out,
            &[(0.0, 0.1, 0.5), (0.1, 0.2, 1.0), (0.5, 0.6, f64::NAN)],
            0.0,
            100.0,
        );
        assert!(out.contains("M0 100V50H100V0H200V100ZM500 100"), "{out}");
        assert!(!out.contains("NaN"), "{out}");
    }
}
