"""The one style sheet of the reports: light, dark, phone and print, without a byte from elsewhere."""

CSS = """
:root{color-scheme:light dark;--paper:#f7f8f6;--card:#fff;--ink:#1b2126;--soft:#5c6770;--line:#e1e5e1;
--accent:#0f6f66;--wash:#dcecea;--warn:#805300;--warn-wash:#fcf0d6;--bad:#a02b24;--bad-wash:#fae5e2;
--mono:ui-monospace,"SF Mono","Cascadia Mono","DejaVu Sans Mono",Menlo,Consolas,monospace}
@media (prefers-color-scheme:dark){:root{--paper:#121518;--card:#1a1e22;--ink:#e6e9eb;--soft:#9ba6af;
--line:#2d343a;--accent:#56c2b5;--wash:#1c3b39;--warn:#e8bb62;--warn-wash:#372c14;--bad:#f09a90;
--bad-wash:#3e2221}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:400 1rem/1.55 system-ui,-apple-system,"Segoe UI",
Roboto,"Noto Sans","DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
main,.top,.foot{max-width:70rem;margin:0 auto;padding:0 1.5rem}
.top{padding-top:2.5rem}
.kicker{display:flex;align-items:center;gap:.6rem;margin:0 0 1.5rem;color:var(--soft);font-size:.875rem}
.kicker svg{width:1.75rem;height:1rem;color:var(--accent)}
.kicker b{color:var(--ink);font-weight:600}
h1{font-size:clamp(1.6rem,1.2rem + 2vw,2.25rem);line-height:1.15;letter-spacing:-.02em;font-weight:650;margin:0;
text-wrap:balance}
h2{font-size:1.25rem;line-height:1.3;letter-spacing:-.01em;font-weight:620;margin:0}
h3{font-size:1rem;line-height:1.4;font-weight:620;margin:0}
p{margin:.5rem 0 0;max-width:68ch}
.lead{color:var(--soft);font-size:1.0625rem;margin-top:.75rem}
a{color:var(--accent)}
code,.mono,pre{font-family:var(--mono);font-size:.8125rem}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));margin:2rem 0 0;gap:1px;
background:var(--line);border:1px solid var(--line);border-radius:.75rem;overflow:hidden}
.facts div{background:var(--card);padding:.9rem 1.1rem}
.facts dt{color:var(--soft);font-size:.8125rem}
.facts dd{margin:.1rem 0 0;font-size:1.375rem;line-height:1.25;font-weight:620;letter-spacing:-.01em}
section{margin-top:2.75rem}
section>h2+*{margin-top:.9rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1.1rem 1.25rem;min-width:0}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(21rem,100%),1fr));gap:1rem}
.cards.even{grid-template-columns:repeat(auto-fit,minmax(min(21rem,100%),1fr))}
.cards.block{margin-top:1.25rem}
.missing{color:var(--soft);font-style:italic;font-size:.8125rem}
.card>header{display:flex;justify-content:space-between;align-items:baseline;gap:.75rem}
.card>header+*{margin-top:.75rem}
.sub{color:var(--soft);font-size:.875rem;margin:.25rem 0 0}
.type{color:var(--soft);font-size:.8125rem;white-space:nowrap}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:.75rem;background:var(--card)}
.scroll:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
table{border-collapse:collapse;width:100%;font-size:.875rem;overflow-wrap:normal}
th,td{padding:.45rem .9rem;text-align:left;vertical-align:top}
th{color:var(--soft);font-weight:560;font-size:.8125rem;white-space:nowrap}
tbody tr{border-top:1px solid var(--line)}
section>figure,details>figure{max-width:34rem}
tbody th{color:var(--ink);font-size:.875rem;white-space:normal;min-width:9rem;max-width:24rem;overflow-wrap:anywhere}
td{max-width:28rem;overflow-wrap:break-word}
td ul.plain{min-width:15rem}
.num{text-align:right;white-space:nowrap;overflow-wrap:normal}
td.mono{min-width:12rem}
td.cell{white-space:nowrap;max-width:18rem;overflow:hidden;text-overflow:ellipsis}
dl.pairs{display:grid;grid-template-columns:auto 1fr;gap:.2rem 1.25rem;margin:.75rem 0 0;font-size:.875rem}
dl.pairs dt{color:var(--soft)}
dl.pairs dd{margin:0;min-width:0}
dl.stats{display:grid;grid-template-columns:repeat(4,1fr);gap:.6rem .75rem;margin:.9rem 0 0}
dl.stats.wide{grid-template-columns:repeat(2,1fr)}
.sub+.scroll{margin-top:.9rem}
dl.stats dt{color:var(--soft);font-size:.75rem}
dl.stats dd{margin:0;overflow-wrap:normal;font-size:.875rem;font-weight:560}
.note{border-radius:.6rem;padding:.7rem 1rem;margin:.75rem 0 0;font-size:.9375rem;max-width:none;
background:var(--wash);color:var(--ink)}
.warn{background:var(--warn-wash)}.bad{background:var(--bad-wash)}
.note b{font-weight:620}
.tags{display:flex;flex-wrap:wrap;gap:.35rem;margin:.6rem 0 0;padding:0;list-style:none}
.tags li{font-size:.75rem;line-height:1.5;padding:0 .55rem;border-radius:1rem;background:var(--wash)}
td .tags{margin:0}
td li.found{color:var(--warn)}
.tags li.warn{background:var(--warn-wash);color:var(--warn)}
.tags li.bad{background:var(--bad-wash);color:var(--bad)}
figure{margin:.9rem 0 0}
figcaption{color:var(--soft);font-size:.8125rem;margin-bottom:.35rem}
.plot{display:block;width:100%;height:6rem;border-bottom:1px solid var(--line)}
.plot.low{height:2.5rem}
.plot rect{fill:var(--accent)}
.plot rect:hover{opacity:.7}
.axis{display:flex;justify-content:space-between;gap:.5rem;color:var(--soft);font-size:.75rem;margin-top:.25rem}
.bars{display:grid;grid-template-columns:minmax(4rem,38%) minmax(2.5rem,1fr) auto;gap:.3rem .75rem;
align-items:center;font-size:.8125rem;margin:0;padding:0;list-style:none}
.bars li{display:contents}
.bars .name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.bars svg{display:block;width:100%;height:.6rem;border-radius:2px;background:var(--wash)}
.bars rect{fill:var(--accent)}
.bars .value{color:var(--soft);text-align:right;white-space:nowrap}
details{margin-top:.75rem}
summary{cursor:pointer;color:var(--accent);font-size:.9375rem;font-weight:540}
summary:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:.25rem}
details>summary+*{margin-top:.75rem}
pre{background:var(--paper);border:1px solid var(--line);border-radius:.6rem;padding:.75rem .9rem;overflow-x:auto;
margin:.75rem 0 0;line-height:1.5;white-space:pre;overflow-wrap:normal}
pre.prose{white-space:pre-wrap;overflow-wrap:anywhere}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(9.5rem,42%),1fr));gap:.9rem;margin:.9rem 0 0;
padding:0;list-style:none}
.gallery li{min-width:0;font-size:.75rem;color:var(--soft);line-height:1.4}
.gallery .frame{display:grid;place-items:center;aspect-ratio:1;background:var(--card);
border:1px solid var(--line);border-radius:.6rem;overflow:hidden;margin-bottom:.35rem}
.gallery img{max-width:100%;max-height:100%;display:block}
.gallery b{display:block;color:var(--ink);font-weight:540;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.gallery.pages .frame{aspect-ratio:auto;height:11rem;padding:.5rem}
.gallery.pages img{box-shadow:0 0 0 1px var(--line)}
ul.plain{list-style:none;margin:0;padding:0}
article.file{margin-top:1rem}
.foot{margin-top:3.5rem;padding-top:1.1rem;padding-bottom:2.5rem;color:var(--soft);font-size:.8125rem}
@media (max-width:40rem){main,.top,.foot{padding-left:1rem;padding-right:1rem}.top{padding-top:1.5rem}
.facts{grid-template-columns:1fr 1fr}.facts dd{font-size:1.1875rem}
.facts div:last-child:nth-child(odd){grid-column:1/-1}
section{margin-top:2rem}.card{padding:1rem}th,td{padding:.5rem .7rem}
pre.prose{white-space:pre-wrap;overflow-wrap:anywhere}
.gallery{gap:.75rem}}
@media print{:root{--paper:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#ccc;--accent:#0f6f66;--wash:#e6f0ef;
--warn-wash:#fcf0d6;--bad-wash:#fae5e2}
body{font-size:10pt}main,.top,.foot{max-width:none;padding:0}.card,figure,tr,.gallery li{break-inside:avoid}
h2,h3{break-after:avoid}.scroll{overflow:visible}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
