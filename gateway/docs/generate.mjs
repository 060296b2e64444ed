// Makes the documentation: docs.html, asyncapi.json, openapi.json; and templates.mjs, the console's example of each message. Names come from the code (tables.c), words from
// protocol.mjs; where the two disagree, or an example does not fit its fields, the build fails with the line.
//   node generate.mjs TABLES.json FOLDER

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { asyncApi } from './asyncapi.mjs';
import { html } from './html.mjs';
import { man } from './man.mjs';
import { openApi } from './openapi.mjs';
import * as protocol from './protocol.mjs';
import { fieldsOf, misfit } from './schema.mjs';

const source = fileURLToPath(new URL('protocol.mjs', import.meta.url));
const lines = readFileSync(source, 'utf8').split('\n');
const faults = [];

/** The line of an entry, for the error. */
function fault(section, name, what) {
    const start = lines.findIndex((line) => line.startsWith(`export const ${section}`));
    const offset = lines.slice(start).findIndex((line) => line.trimStart().replaceAll('\'', '').startsWith(`${name}:`));
    faults.push(`${source}:${(offset < 0 ? start : start + offset) + 1}: ${section}, ${name}: ${what}`);
}

/** Both ways: nothing in the code without words, no words about what is not in the code. */
function compare(section, names) {
    const told = Object.keys(protocol[section]);
    for (const name of names.filter((one) => !told.includes(one))) fault(section, name, 'is in the code but not described here');
    for (const name of told.filter((one) => !names.includes(one))) fault(section, name, 'is described here but not in the code');
}

function checkMessages(section) {
    for (const [name, entry] of Object.entries(protocol[section])) {
        if (!entry.says) fault(section, name, 'says nothing');
        try {
            const wrong = misfit(fieldsOf(entry.data), entry.example, section === 'events');
            if (wrong) fault(section, name, `its example does not fit: ${wrong}`);
        } catch (error) {
            fault(section, name, error.message);
        }
        for (const answer of entry.answers ?? []) {
            if (!protocol.serverMessages[answer]) fault(section, name, `its answer ${answer} is not described`);
        }
    }
}

const [tablesFile, folder] = process.argv.slice(2);
const tables = JSON.parse(readFileSync(tablesFile, 'utf8'));
const assets = ['/', '/docs', '/asyncapi.json', '/openapi.json'];

compare('clientMessages', tables.messages.map(({ name }) => name));
compare('paths', [...tables.paths.map(({ name }) => name), '/ws', ...assets]);
compare('closeCodes', tables.closes.map(({ code }) => String(code)));
['clientMessages', 'serverMessages', 'events'].forEach(checkMessages);
if (faults.length > 0) {
    console.error(faults.join('\n'));
    process.exit(1);
}

const write = (name, text) => writeFileSync(join(folder, name), text);
write('asyncapi.json', JSON.stringify(asyncApi(tables, protocol), null, 1));
write('openapi.json', JSON.stringify(openApi(tables, protocol), null, 1));
write('docs.html', html(tables, protocol));
write('moonx-protocol.7', man(tables, protocol));

// A token and a position are the reader's own.
const own = { token: '', resume: undefined, channels: undefined };
const template = ([type, { example }]) => [type, type === 'authenticate' ? { ...example, ...own } : example];
write('templates.mjs', `// Made by gateway/docs/generate.mjs: [type, data] of each client message.\nexport const TEMPLATES = ${JSON.stringify(Object.entries(protocol.clientMessages).map(template))};\n`);
