/** The style of the page: light, dark and print, at any width, without anything from a network. */
export const STYLE = `
:root { color-scheme: light dark; --text: #1b1f24; --quiet: #57606a; --page: #ffffff; --line: #d0d7de; --leak: #b3261e; --part: #8a5300; --open: #5b4b8a;  --skip: #57606a; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ed; --quiet: #9aa4ae; --page: #14171b; --line: #353b43; --leak: #ff8a80; --part: #ffb74d; --open: #b9a7f0; --skip: #9aa4ae; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; } h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
.summary { font-size: 1.15rem; } .notice { border-left: 4px solid var(--leak); padding-left: .8rem; color: var(--quiet); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .7rem .4rem 0; border-bottom: 1px solid var(--line); } thead th { color: var(--quiet); font-weight: 600; }
tbody th { font-weight: 600; } .number { white-space: nowrap; font-variant-numeric: tabular-nums; }
.verdict { white-space: nowrap; font-weight: 600; color: var(--skip); } .leaked-proven, .leaked-recognised { color: var(--leak); } .partly { color: var(--part); }
.error, .inconclusive { color: var(--open); } .not-recovered, .matched-and-wrong, .matched-to-the-noise { color: var(--text); }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; max-width: 200px; } figcaption { font-size: .8rem; color: var(--quiet); overflow-wrap: anywhere; }
img { image-rendering: pixelated; margin-right: 4px; border: 1px solid var(--line); } dl { margin: 0; } dt { margin-top: .5rem; } dd { margin: 0; color: var(--quiet); }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); } svg { max-width: 100%; height: auto; } svg text { fill: var(--text); font: 12px system-ui, sans-serif; } svg .axis { stroke: var(--line); }
svg circle { fill: currentColor; } svg .bar { stroke: currentColor; fill: none; stroke-width: 1.5; } svg .trace { stroke: currentColor; fill: none; stroke-width: 1.5; stroke-linejoin: round; }
svg .floor { stroke: var(--quiet); stroke-dasharray: 4 3; } .charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); gap: 1.2rem; } .chart { max-width: none; break-inside: avoid; } .chart svg { width: 100%; } summary { cursor: pointer; }
@media print { body { font-size: 11px; } details { display: block; } .scroll { overflow: visible; } table { font-size: 9px; } .verdict, .number { white-space: normal; } section { break-inside: avoid-page; } }
`
