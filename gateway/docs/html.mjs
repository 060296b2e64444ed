// The documentation as one readable page, whole without scripts; docs_page.mjs adds "try it".

import { fieldsOf } from './schema.mjs';

const escape = (text) => String(text).replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign]);
const json = (value) => `<pre tabindex="0"><code>${escape(JSON.stringify(value, null, 2))}</code></pre>`;

function table(head, rows) {
    if (rows.length === 0) return '';
    const cells = (row) => row.map((cell, i) => (i === 0 ? `<th scope="row"><code>${escape(cell)}</code></th>` : `<td>${escape(cell)}</td>`)).join('');
    return `<div class="scroll" tabindex="0" role="region" aria-label="${escape(head[0])}"><table><thead><tr>${head.map((cell) => `<th scope="col">${escape(cell)}</th>`).join('')}</tr></thead>
<tbody>${rows.map((row) => `<tr>${cells(row)}</tr>`).join('\n')}</tbody></table></div>`;
}

const fields = (data) => table(['Field', 'Type', '', ''], fieldsOf(data).map(({ name, word, required, text }) => [name, word.replaceAll('|', ' | '), required ? 'always' : 'optional', text]));

function message(prefix, type, entry, envelope) {
    const id = `${prefix}-${type}`;
    const answers = entry.answers?.length ? `<p>Answer: ${entry.answers.map((answer) => `<a href="#server-${answer}">${answer}</a>`).join(' or ')}.</p>` : '';
    const tryIt = prefix === 'client' ? `<p><button type="button" class="try" data-type="${type}" hidden>Try it</button></p>` : '';
    return `<article id="${id}"><h3><code>${type}</code></h3>
<p>${escape(entry.says)}</p>${fields(entry.data)}${json({ ...envelope, type, data: entry.example })}${answers}${tryIt}</article>`;
}

const section = (id, title, body) => `<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>\n${body}\n</section>`;

const CONNECTING = `<p>Open a WebSocket to <code>/ws</code>. Every message in either direction is one text frame of JSON:</p>
${json({ id: 'm-1', type: 'ping', timestamp: 1795273200000, data: {} })}
<p>From clients only <code>type</code> is mandatory. An answer carries <code>ref</code>, the id of the message that it answers.</p>
<ol><li>The server says <a href="#server-auth_required">auth_required</a>; the client sends <a href="#client-authenticate">authenticate</a> with its token. A token may come with the handshake instead: <code>Authorization: Bearer</code>, or where the operator allows it a cookie <code>token</code> or <code>?token=</code>.</li>
<li>The server answers <a href="#server-auth_success">auth_success</a>, then <a href="#server-auto_subscribed">auto_subscribed</a> with the rooms that were joined by themselves, then <a href="#server-subscribed">subscribed</a> for each channel asked for.</li>
<li>Events come. The server pings now and then; libraries answer by themselves.</li></ol>
<pre tabindex="0"><code>const socket = new WebSocket('ws://127.0.0.1:3008/ws');
socket.onmessage = ({ data }) =&gt; {
  const message = JSON.parse(data);
  if (message.type === 'auth_required')
    socket.send(JSON.stringify({ type: 'authenticate', data: { token } }));
  else if (message.type === 'price_update')
    console.log(message.data.token, message.data.price);
};</code></pre>`;

const ROOMS = `<p>A client names a channel; the server maps it to rooms. <code>prices</code>, <code>trades</code>, <code>system_alerts</code>, <code>user_actions</code> are rooms of the same name. <code>orders</code>, <code>portfolio</code>, <code>user_specific</code> mean the caller's own <code>orders:{userId}</code>, <code>portfolio:{userId}</code>, <code>user:{userId}</code>; <code>notifications</code> means the room of that name and the caller's own. Finer rooms are named whole: <code>prices:{chainId}:{token}</code>, <code>order:{orderId}</code>, <code>chat:{id}</code>, and whatever the operator has added.</p>
<p>A room's name has 1 to 128 bytes of <code>A-Za-z0-9_.:@|+=~-</code>.</p>`;

const POSITIONS = `<p>Events of one topic-partition come in order, each at most once a connection. A <em>position</em> says how far a client has come: for each topic the last offset by partition number. The server gives one in <code>auto_subscribed</code>, <code>subscribed</code> and <code>pong</code>; each event's id, <code>topic:partition:offset</code>, moves one entry on.</p>
<p>A client that comes back, to any host, sends its position with <a href="#client-authenticate">authenticate</a> or in <a href="#client-resume">resume</a>. The answer is <a href="#server-resumed">resumed</a>: all that was missed, or a reason why it can't be had, and live events. Events of conflated routes (prices) are not replayed one by one: the newest value of each key comes.</p>`;

const LIMITS = `<p>Messages are counted per user and minute, connections per address and per user, subscriptions per connection; a message has at most 64 KiB unless the operator says otherwise. Who sends too much gets <code>RATE_LIMIT_EXCEEDED</code> with <code>retryAfter</code> in seconds; who goes on and on is closed with 1008. Before the connection is opened a refusal is an HTTP status: 429 for the address's limit, 503 with <code>Retry-After</code> when the host is full.</p>`;

function pathArticles(paths, admin) {
    return Object.entries(paths).map(([path, entry]) => {
        const method = entry.post ? 'POST' : 'GET';
        const answers = Object.entries(entry.responses ?? {}).map(([status, text]) => [status, text]);
        const tryIt = method === 'GET' && path !== '/ws' && !admin.has(path) ? `<p><a href="${path}">${path}</a></p>` : '';
        return `<article><h3><code>${method} ${escape(path)}</code></h3><p>${escape(entry.says)}${admin.has(path) ? ' For administrators.' : ''}</p>${entry.post ? fields(entry.post) : ''}${table(['Status', 'When'], answers)}${tryIt}</article>`;
    }).join('\n');
}

export function html(tables, { clientMessages, serverMessages, events, paths, closeCodes }) {
    const admin = new Set(tables.paths.filter((row) => row.admin).map((row) => row.name));
    const envelope = { id: 'm-1' };
    const sections = [
        ['connecting', 'Connecting', CONNECTING],
        ['client', 'Messages from clients', Object.entries(clientMessages).map(([type, entry]) => message('client', type, entry, envelope)).join('\n')],
        ['server', 'Messages from the server', Object.entries(serverMessages).map(([type, entry]) => message('server', type, entry, { ...envelope, timestamp: 1795273200000 })).join('\n')],
        ['events', 'Events', Object.entries(events).map(([type, entry]) => message('event', type, entry, { id: 'topic:0:17', timestamp: 1795273200000 })).join('\n')],
        ['rooms', 'Channels and rooms', ROOMS],
        ['positions', 'Order, positions, resume', POSITIONS],
        ['limits', 'Limits', LIMITS],
        ['errors', 'Error codes', `<p>In <a href="#server-error">error</a> and <a href="#server-auth_failed">auth_failed</a>. An error never closes the connection by itself.</p>${table(['Code', 'Meaning'], tables.errors.map((row) => [row.name, row.message]))}`],
        ['closes', 'Close codes', table(['Code', 'Meaning', 'What to do'], tables.closes.map((row) => [row.code, row.meaning, closeCodes[row.code]]))],
        ['http', 'HTTP', pathArticles(paths, admin)],
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
