//! Pages for people: what the review's file and the live page have in common, and the live page itself ([`live`]).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::Digest;

/// Colours, letters and tables of every page. Contrast: text 4.5:1 and marks 3:1 or more, in both schemes; paper is always light.
pub const BASE: &str = "\
:root{--sans:system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",\"DejaVu Sans\",sans-serif;--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;\
--page:#f6f7f8;--surface:#fff;--ink:#1b1f24;--muted:#57606a;--line:#d5dae0;--track:#e6e9ed;--accent:#1f5fa8;--pass:#17683a;--warn:#8a5200;--fail:#b3261e;--invalid:#6b3fa0;color-scheme:light}
@media screen and (prefers-color-scheme:dark){:root{--page:#121518;--surface:#1a1e23;--ink:#e6e9ec;--muted:#a2abb5;--line:#343b43;--track:#2a3037;--accent:#7cb2f0;--pass:#5cc98a;--warn:#e8b04a;--fail:#ff8a80;--invalid:#c0a4f7;color-scheme:dark}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:1rem/1.5 var(--sans)}
main{max-width:76rem;margin:0 auto;padding:1.5rem clamp(.75rem,3vw,2rem) 3rem}
h2{margin:2rem 0 .625rem;font-size:1.1875rem}
h3{margin:1.25rem 0 .375rem;font-size:1rem}
table{border-collapse:collapse;width:100%;font-size:.875rem}
th,td{text-align:left;vertical-align:top;padding:.375rem .75rem .375rem 0;border-bottom:1px solid var(--line)}
thead th{color:var(--muted);font-weight:500;white-space:nowrap}
tbody th{font-weight:500}
.badge{color:var(--tone);font-weight:600;white-space:nowrap}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
@media print{body{background:#fff;font-size:10pt}main{max-width:none;padding:0}h2{break-after:avoid}tr{break-inside:avoid}}
";

/// Returns the source expression of a Content-Security-Policy that allows exactly this inline text: `sha256-…`.
pub fn source_hash(text: &str) -> String {
    format!(
        "sha256-{}",
        STANDARD.encode(Digest::of(text.as_bytes()).as_bytes())
    )
}

/// A page with the headers that it must be served with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// `text/html; charset=utf-8`.
    pub html: String,
    /// `Content-Security-Policy`.
    pub policy: String,
}

/// Returns the live page of `--serve`: asks for `progress.json` beside it, draws it, and says so when nobody writes it any more.
///
/// One file, the same for every run. Its policy allows its own script and style sheet by digest and requests to its own origin, nothing else.
pub fn live() -> Page {
    let style = format!(
        "{BASE}{}{}",
        crate::chart::STYLE,
        include_str!("page/live.css")
    );
    let script = include_str!("page/live.js");
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
        source_hash(script),
        source_hash(&style)
    );
    let figures: String = ["rate", "gaps", "levels", "memory", "cpu"]
        .map(|id| format!("<figure class=\"figure\" id=\"{id}\"></figure>\n"))
        .concat();
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<link rel=\"icon\" href=\"data:,\">\n<title>Dry run</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n\
         <header class=\"top\"><h1 id=\"title\">Dry run</h1><span class=\"mono\" id=\"command\"></span></header>\n\
         <section class=\"state t-invalid\" id=\"state\" aria-label=\"Status\">\n<p class=\"say\" id=\"say\">Waiting</p>\n\
         <progress id=\"bar\" max=\"1\" value=\"0\" aria-label=\"Time of the run\"></progress>\n\
         <p class=\"times\"><span id=\"elapsed\"></span><span id=\"left\"></span></p>\n\
         <p class=\"feed\" id=\"feed\">Waiting for the first progress.</p>\n</section>\n\
         <p class=\"hidden\" id=\"speak\" role=\"status\"></p>\n\
         <noscript><p>This page draws with its own script, which is switched off here. <code>gonogo dry-run watch</code> shows the same in a terminal.</p></noscript>\n\
         <div id=\"body\" hidden>\n<div id=\"outcome\"></div>\n<dl class=\"tiles\" id=\"tiles\"></dl>\n<h2>Charts</h2>\n<div class=\"charts\">\n{figures}</div>\n\
         <h2>Incidents</h2>\n<div id=\"incidents\"></div>\n</div>\n</main>\n<script>{script}</script>\n</body>\n</html>\n"
    );
    Page { html, policy }
}
