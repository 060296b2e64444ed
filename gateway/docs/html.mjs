// The documentation as one readable page, whole without scripts; docs_page.mjs adds "try it".

import { readFileSync } from 'node:fs';
import { fieldsOf, pretty } from './schema.mjs';

const escape = (text) => String(text).replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign]);
const json = (value) => `<pre tabindex="0"><code>${escape(pretty(value))}</code></pre>`;

function table(head, rows) {
    if (rows.length === 0) return '';
    const cells = (row) => row.map((cell, i) => (i === 0 ? `<th scope="row"><code>${escape(cell)}</code></th>` : `<td>${escape(cell)}</td>`)).join('');
    return `<div class="scroll" tabindex="0" role="region" aria-label="${escape(head[0])}"><table><thead><tr>${head.map((cell) => `<th scope="col">${escape(cell)}</th>`).join('')}</tr></thead>
<tbody>${rows.map((row) => `<tr>${cells(row)}</tr>`).join('\n')}</tbody></table></div>`;
}

const fields = (data) => table(['Field', 'Type', 'Given', 'Meaning'], fieldsOf(data).map(({ name, word, required, text }) => [name, word.replaceAll('|', ' | '), required ? 'always' : 'optional', text]));

function message(prefix, type, entry, envelope) {
    const id = `${prefix}-${type}`;
    const answers = entry.answers?.length ? `<p>Answer: ${entry.answers.map((answer) => `<a href="#server-${answer}">${answer}</a>`).join(' or ')}.</p>` : '';
    const tryIt = prefix === 'client' ? `<p><button type="button" class="try" data-type="${type}" hidden>Try it</button></p>` : '';
    return `<article id="${id}"><h3><code>${type}</code></h3>
<p>${escape(entry.says)}</p>${fields(entry.data)}${json({ ...envelope, type, data: entry.example })}${answers}${tryIt}</article>`;
}

/** Every message of one direction, with a line of links to them above. */
function messages(prefix, entries, envelope) {
    const links = Object.keys(entries).map((type) => `<a href="#${prefix}-${type}">${type}</a>`).join(' ');
    return [`<p class="links">${links}</p>`, ...Object.entries(entries).map(([type, entry]) => message(prefix, type, entry, envelope))].join('\n');
}

const section = (id, title, body) => `<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>\n${body}\n</section>`;

/** A chapter's prose. */
function prose(text) {
    return text.map((part) => {
        if (Array.isArray(part)) return `<ol>${part.map((step) => `<li>${inline(step)}</li>`).join('\n')}</ol>`;
        return typeof part === 'string' ? `<p>${inline(part)}</p>` : json(part);
    }).join('\n');
}

const inline = (text) => escape(text)
    .replace(/`([^`]+)`/g, '<code>$1</code>')
    .replace(/(?<!<code>[^<]*)\{((?:client|server|event)-(\w+))\}/g, '<a href="#$1">$2</a>');

// The files that tests/integration/examples.test.mjs runs, word by word.
const EXAMPLES = [['browser.html', 'A page'], ['node.mjs', 'Node, with resume'], ['python.py', 'Python'], ['shell.sh', 'Shell']];
const examples = EXAMPLES.map(([file, title]) => `<article id="example-${file.replace(/\..*/, '')}"><h3>${title}</h3><pre tabindex="0"><code>${escape(readFileSync(new URL(`examples/${file}`, import.meta.url), 'utf8').trimEnd())}</code></pre></article>`).join('\n');

function pathArticles(paths, admin) {
    return Object.entries(paths).map(([path, entry]) => {
        const method = entry.post ? 'POST' : 'GET';
        const answers = Object.entries(entry.responses ?? {}).map(([status, text]) => [status, text]);
        const tryIt = method === 'GET' && path !== '/ws' && !admin.has(path) ? `<p><a href="${path}">${path}</a></p>` : '';
        return `<article><h3><code>${method} ${escape(path)}</code></h3><p>${escape(entry.says)}${admin.has(path) ? ' For administrators.' : ''}</p>${entry.post ? fields(entry.post) : ''}${table(['Status', 'When'], answers)}${tryIt}</article>`;
    }).join('\n');
}

export function html(tables, { clientMessages, serverMessages, events, paths, administrators, closeCodes, chapters }) {
    const admin = new Set(tables.paths.filter((row) => row.admin).map((row) => row.name));
    const envelope = { id: 'm-1' };
    const chapter = (id) => [id, chapters[id].title, prose(chapters[id].text)];
    const sections = [
        chapter('connecting'),
        ['examples', 'Examples', examples],
        ['client', 'Messages from clients', messages('client', clientMessages, envelope)],
        ['server', 'Messages from the server', messages('server', serverMessages, { ...envelope, timestamp: 1795273200000 })],
        ['events', 'Events', messages('event', events, { id: 'topic:0:17', timestamp: 1795273200000 })],
        chapter('rooms'),
        chapter('positions'),
        chapter('limits'),
        ['errors', 'Error codes', `<p>In <a href="#server-error">error</a> and <a href="#server-auth_failed">auth_failed</a>. An error never closes the connection by itself.</p>${table(['Code', 'Meaning'], tables.errors.map((row) => [row.name, row.message]))}`],
        ['closes', 'Close codes', table(['Code', 'Meaning', 'What to do'], tables.closes.map((row) => [row.code, row.meaning, closeCodes[row.code]]))],
        ['http', 'HTTP', `<p>${escape(administrators)}</p>${pathArticles(paths, admin)}`],
        ['metrics', 'Metrics', `<p>At <a href="/metrics">/metrics</a>.</p>${table(['Metric', 'Kind', 'Of', 'Meaning'], tables.metrics.map((row) => [row.name, row.kind, row.owner, row.help]))}`],
    ];
    return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>MoonX Gateway: API</title>
<link rel="icon" href="/console/moon.svg">
<link rel="stylesheet" href="/console/console.css">
<link rel="stylesheet" href="/console/docs.css">
<script type="module" src="/console/docs_page.mjs"></script>
</head>
<body>
<header><h1><img src="/console/moon.svg" alt="" width="22" height="22"> MoonX Gateway: API</h1>
<nav aria-label="Pages"><a href="/">Console</a> <a href="/asyncapi.json">AsyncAPI</a> <a href="/openapi.json">OpenAPI</a></nav></header>
<div class="page">
<nav class="contents" aria-label="Contents"><ul>${sections.map(([id, title]) => `<li><a href="#${id}">${title}</a></li>`).join('')}</ul></nav>
<main>
${sections.map(([id, title, body]) => section(id, title, body)).join('\n')}
</main>
</div>
<dialog id="try" aria-labelledby="try-title"><h2 id="try-title">Try it</h2><form id="try-form"><label for="try-message">Message</label><textarea id="try-message" rows="8" spellcheck="false"></textarea><label for="try-token">Token</label><input id="try-token" type="password" autocomplete="off"><button type="submit">Send</button><button type="button" id="try-close">Close</button></form><pre id="try-answer" role="status" tabindex="0"></pre></dialog>
</body>
</html>
`;
}
