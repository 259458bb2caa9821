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
