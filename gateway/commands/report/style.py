"""How a report looks: by light, by dark, and on paper."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root{color-scheme:light dark;--ink:#1d2733;--soft:#5b6875;--paper:#fff;--line:#d9dfe5;--card:#f4f6f8;
--calm:#3b7ea1;--warn:#d98e04;--bad:#c0392b}
@media (prefers-color-scheme:dark){:root{--ink:#e4e9ee;--soft:#9aa7b4;--paper:#14191f;--line:#303a45;--card:#1c232b;
--calm:#5aa9d0;--warn:#e5a93c;--bad:#e5685a}}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:960px;margin:0 auto;padding:28px 20px 60px}
h1{margin:0;font-size:30px;overflow-wrap:anywhere}
h2{margin:38px 0 10px;padding-top:14px;border-top:1px solid var(--line);font-size:20px}
h3{margin:24px 0 6px;font-size:16px}h4{margin:16px 0 4px;font-size:14px}small{color:var(--soft);font-weight:400}
header p{margin:2px 0;color:var(--soft)}.over{font-size:12px;letter-spacing:.08em;text-transform:uppercase}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(135px,1fr));gap:10px;
margin:22px 0 0;padding:0;list-style:none}
.cards li{padding:12px 14px;border-radius:8px;background:var(--card)}
.cards b{display:block;font-size:22px;font-variant-numeric:tabular-nums}.cards span{color:var(--soft);font-size:13px}
.wide{overflow-x:auto}table{width:100%;margin:12px 0;border-collapse:collapse;font-size:13px}
th,td{padding:5px 10px 5px 0;border-bottom:1px solid var(--line);text-align:left;
vertical-align:top;overflow-wrap:anywhere}
th{color:var(--soft);font-weight:600;white-space:nowrap}td{min-width:4.5em;font-variant-numeric:tabular-nums}
.note{margin:4px 0 12px;color:var(--soft);font-size:12.5px}code{font-size:12px;overflow-wrap:anywhere}
svg{display:block;font:12px system-ui,sans-serif}svg text{fill:var(--ink)}
svg .value,svg .axis{fill:var(--soft);font-size:11px}svg .calm{fill:var(--calm)}svg .warn{fill:var(--warn)}
svg .value{paint-order:stroke;stroke:var(--paper);stroke-width:4px}
svg .bad{fill:var(--bad)}
svg .level{stroke:var(--ink);stroke-dasharray:3 3;opacity:.55}svg .noise{stroke:var(--ink);opacity:.6}
svg .grid{fill:none;stroke:var(--line)}
svg .reference{fill:var(--soft);opacity:.45}svg .current{fill:none;stroke:var(--calm);stroke-width:2}
.small{display:grid;grid-template-columns:repeat(auto-fill,minmax(205px,1fr));gap:14px;margin:10px 0}
figure{margin:0}figcaption{color:var(--soft);font-size:12.5px;overflow-wrap:anywhere}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--paper:#fff;--line:#bbb;--card:#f2f2f2;
--calm:#3b7ea1;--warn:#c98200;--bad:#b03022}
main{max-width:none;padding:0}section,figure,tr,svg{break-inside:avoid}
svg{max-width:100%;height:auto}h2,h3{break-after:avoid}.wide{overflow:visible}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
