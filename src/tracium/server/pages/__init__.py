"""The pages: HTML from the server, small ES modules, everything in the URL.

How a page is made:

- `period` and `view` read the URL into a frozen `View` (whose data, which stretch of time, which environment, compared,
  live), and refuse what they do not know with a sentence. `View.link` builds every URL, so that a link keeps them.
- `page.Page` is one request for a page: its view, who asks, and `render`, which gives templates what all of them need.
- `formatting` writes numbers, money, durations and moments, each as an element that carries the exact value; the module
  `locale.js` writes them again in the reader's language and time zone.
- `sparkline` makes the small lines, as SVG without a style attribute: the policy of the pages allows none.
- `templates/layout.html` is the frame, `templates/components.html` has tile, table, chart, empty state and the like.
- `assets` serves `static/` under one hash of all of it, compressed once, for as long as a browser likes to keep it.
- `problem` turns a refusal, wherever it was made, into a page for whoever came with a browser.

A chart has no data of its own: `charts.js` draws the table that stands behind it. A page that is live asks for itself
again and takes over what is marked with ``data-live``. Without script there is the same to read.
"""
