// The same as a manual page, moonx-protocol(7), in mdoc.

import { fieldsOf, pretty } from './schema.mjs';

/** Text as roff takes it: no escape, no control line by accident. */
const plain = (text) => String(text).replaceAll('\\', '\\e').replace(/^([.'])/gm, '\\&$1').replaceAll('-', '\\-');

/** Lines that are not too long, each sentence beginning one: that is how mdoc knows where it ends. */
function wrap(text) {
    return text.replace(/([.?]) (?=[A-Z])/g, '$1\n').split('\n').flatMap((line) => {
        const lines = [''];
        for (const word of line.split(' ')) {
            if (lines.at(-1).length + word.length > 76) lines.push('');
            lines[lines.length - 1] += `${word} `;
        }
        return lines.map((one) => one.trimEnd());
    }).join('\n');
}

const prose = (text) => wrap(plain(text)
    .replace(/\{(?:client|server|event)\\-(\w+)\}/g, '`$1`')
    .replace(/`([^`]+)`/g, '\\(oq$1\\(cq'))
    .replace(/^([.'])/gm, '\\&$1');
const json = (value) => `.Bd -literal -offset indent\n${plain(pretty(value))}\n.Ed`;

function fields(data) {
    const rows = fieldsOf(data);
    if (rows.length === 0) return '';
    return `.Bl -tag -width Ds -compact\n${rows.map(({ name, word, required, text }) => `.It Va ${name} Pq ${word.replaceAll('|', ' | ')}${required ? '' : ' , optional'}\n${text ? prose(text) : ''}`.trimEnd()).join('\n')}\n.El`;
}

function messages(entries, own) {
    return Object.entries(entries).map(([type, entry]) => [
        `.It Ic ${type}`, prose(entry.says), fields(entry.data), json({ ...own, type, data: entry.example }),
        entry.answers?.length ? `Answer:\n${entry.answers.map((answer, i) => `.Ic ${answer}${i + 1 < entry.answers.length ? '\nor' : ' .'}`).join('\n')}` : '',
    ].filter(Boolean).join('\n')).join('\n');
}

function chapter(text) {
    return text.map((part, i) => {
        const lead = i > 0 && typeof part === 'string' ? '.Pp\n' : '';
        if (Array.isArray(part)) return `.Bl -enum\n${part.map((step) => `.It\n${prose(step)}`).join('\n')}\n.El`;
        return typeof part === 'string' ? lead + prose(part) : json(part);
    }).join('\n');
}

const list = (rows) => `.Bl -tag -width Ds\n${rows.join('\n')}\n.El`;

export function man(tables, { clientMessages, serverMessages, events, paths, administrators, closeCodes, chapters }) {
    const admin = new Set(tables.paths.filter((row) => row.admin).map((row) => row.name));
    return `.\\" Made by gateway/docs; make man writes it anew.
.Dd November 21, 2026
.Dt MOONX-PROTOCOL 7
.Os "MoonX Gateway"
.Sh NAME
.Nm moonx-protocol
.Nd what clients and the MoonX Gateway say to each other
.Sh DESCRIPTION
Clients of
.Xr moonx-gateway 8
speak JSON over a WebSocket
.Pq RFC 6455 .
A running gateway serves this text at
.Pa /docs ,
and for programs at
.Pa /asyncapi.json
and
.Pa /openapi.json .
.Sh CONNECTING
${chapter(chapters.connecting.text)}
.Sh MESSAGES FROM CLIENTS
${list([messages(clientMessages, { id: 'm-1' })])}
.Sh MESSAGES FROM THE SERVER
${list([messages(serverMessages, {})])}
.Sh EVENTS
The fields of a Kafka value pass through untouched.
The id of an event is
.Ql topic:partition:offset ,
its timestamp Kafka's.
${list([messages(events, {})])}
.Sh CHANNELS AND ROOMS
${chapter(chapters.rooms.text)}
.Sh ORDER, POSITIONS, RESUME
${chapter(chapters.positions.text)}
.Sh LIMITS
${chapter(chapters.limits.text)}
.Sh HTTP
${prose(administrators)}
${list(Object.entries(paths).map(([path, entry]) => `.It Pa ${path}\n${prose(entry.says)}${admin.has(path) ? '\nFor administrators.' : ''}${entry.post ? `\nA POST with a body of JSON.\n${fields(entry.post)}` : ''}`.trimEnd()))}
.Sh METRICS
At
.Pa /metrics .
${list(tables.metrics.map((row) => `.It Li ${row.name} Pq ${row.kind}\n${prose(row.help)}`))}
.Sh ERROR AND CLOSE CODES
In
.Ic error
and
.Ic auth_failed .
An error never closes the connection by itself.
${list(tables.errors.map((row) => `.It Er ${row.name}\n${prose(row.message)}`))}
.Pp
Close codes:
${list(tables.closes.map((row) => `.It Li ${row.code}\n${prose(`${row.meaning}. ${closeCodes[row.code]}`)}`))}
.Sh SEE ALSO
.Xr moonx-client 1 ,
.Xr moonx-rooms 5 ,
.Xr moonx-routes 5 ,
.Xr moonx-gateway 8
`.replace(/\n\n+/g, '\n');
}
