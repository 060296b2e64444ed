// The documentation that the gateway serves: valid by its official parsers, true for what goes over the wire, without a
// dead link; and that it can't be built from a table that is wrong.
import { Parser } from '@asyncapi/parser';
import SwaggerParser from '@apidevtools/swagger-parser';
import Ajv from 'ajv';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { root, signedIn, mintToken, connectClient, startGateway } from './harness.mjs';

const SECRET = 'documentation-tests-0123456789abcdef';
let gateway, asyncapi;

before(async () => {
    gateway = await startGateway({ dev: true, env: { JWT_SECRET: SECRET } });
    asyncapi = await (await gateway.get('/asyncapi.json')).json();
});

after(() => gateway?.stop());

const token = () => mintToken({ sub: 'reader' }, { secret: SECRET });

test('AsyncAPI\'s own parser finds no error', async () => {
    const { document, diagnostics } = await new Parser().parse(JSON.stringify(asyncapi));
    assert.deepEqual(diagnostics.filter(({ severity }) => severity === 0).map(({ message, path }) => `${path.join('.')}: ${message}`), []);
    assert.ok(document.allMessages().length > 20);
});

test('an OpenAPI validator finds no error', async () => {
    const openapi = await (await gateway.get('/openapi.json')).json();
    await SwaggerParser.validate(structuredClone(openapi));
    assert.ok(openapi.paths['/health'].get);
    assert.ok(openapi.paths['/connections'].get.responses[403]);
});

// Every message that comes is one of the documented ones, and fits.
test('what goes over the wire is what is documented', async () => {
    const ajv = new Ajv({ strict: false, validateSchema: false });
    const check = ({ type, id }, message) => {
        const kind = /:\d+:\d+$/.test(id) ? 'event' : 'server';
        const documented = asyncapi.components.messages[`${kind}_${type}`];
        assert.ok(documented, `${kind} message ${type} is not documented`);
        assert.ok(ajv.validate(documented.payload, message), `${type}: ${ajv.errorsText()}`);
    };
    const client = await connectClient(gateway);
    await client.request('ping', {});
    await client.request('get_rooms', {});
    await client.request('authenticate', { token: 'rubbish' });
    await client.request('authenticate', { token: token() });
    await client.next('auto_subscribed');
    for (const { examples: [{ payload }], name } of Object.values(asyncapi.components.messages)) {
        if (!name.startsWith('client_') || payload.type === 'authenticate')
            continue;
        // typing has no answer but in case of an error
        if (payload.type === 'typing')
            client.send('typing', payload.data);
        else
            await client.request(payload.type, payload.data);
    }
    await client.next('price_update');
    for (const message of client.received)
        check(message, JSON.parse(message.raw));
    const types = new Set(client.received.map(({ type }) => type));
    for (const type of ['auth_required', 'auth_failed', 'auth_success', 'auto_subscribed', 'pong', 'rooms', 'subscribed', 'unsubscribed', 'error'])
        assert.ok(types.has(type), type);
    await client.close();
});

test('no link of the page is dead', async () => {
    const page = await (await gateway.get('/docs')).text();
    const ids = new Set([...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    const links = new Set([...page.matchAll(/ (?:href|src)="([^"]+)"/g)].map(([, link]) => link));
    assert.ok(links.size > 20);
    for (const link of links) {
        if (link.startsWith('#'))
            assert.ok(ids.has(link.slice(1)), link);
        else
            assert.equal((await gateway.get(link)).status, 200, link);
    }
});

test('the page names every message, error code, close code and metric', async () => {
    const page = await (await gateway.get('/docs')).text();
    const tables = JSON.parse(readFileSync(join(root, 'build/release/gen/tables.json'), 'utf8'));
    for (const { name } of [...tables.messages, ...tables.errors, ...tables.metrics])
        assert.ok(page.includes(name), name);
    for (const { code } of tables.closes)
        assert.ok(page.includes(`<code>${code}</code>`), code);
});

const generate = change => {
    const folder = mkdtempSync(join(tmpdir(), 'moonx-docs-'));
    try {
        const tables = JSON.parse(readFileSync(join(root, 'build/release/gen/tables.json'), 'utf8'));
        change(tables);
        writeFileSync(join(folder, 'tables.json'), JSON.stringify(tables));
        return spawnSync(process.execPath, [join(root, 'gateway/docs/generate.mjs'), join(folder, 'tables.json'), folder], { encoding: 'utf8' });
    } finally {
        rmSync(folder, { recursive: true });
    }
};

test('a message, a path or a close code without words fails the build with the line', () => {
    assert.equal(generate(() => {}).status, 0);
    for (const [change, told] of [
        [tables => tables.messages.push({ name: 'teleport' }), /protocol\.mjs:\d+: clientMessages, teleport: is in the code/],
        [tables => tables.paths.push({ name: '/teleport' }), /protocol\.mjs:\d+: paths, \/teleport/],
        [tables => tables.closes.push({ name: 'X', code: 4999 }), /protocol\.mjs:\d+: closeCodes, 4999/],
    ]) {
        const { status, stderr } = generate(change);
        assert.equal(status, 1);
        assert.match(stderr, told);
    }
});

const complete = (program, ...words) => {
    const line = ['moonx', ...words];
    const script = `shopt -s progcomp; compopt() { :; }; . deploy/moonx-gateway.bash-completion
        COMP_WORDS=(${line.map(word => `'${word}'`).join(' ')}); _moonx build/${program} '${words.at(-1)}' '${words.at(-2) ?? ''}'; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { status, stdout, stderr } = spawnSync('bash', ['-c', script], { cwd: root, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout.split('\n').filter(Boolean);
};

test('bash completes flags, an option\'s words and files', () => {
    assert.deepEqual(complete('moonx-gateway', '--worker'), ['--worker-queue-bytes', '--worker-user', '--workers']);
    assert.deepEqual(complete('moonx-gateway', '--log-level', ''), ['error', 'warn', 'info', 'debug']);
    assert.deepEqual(complete('moonx-gateway', '--log-level', 'w'), ['warn']);
    assert.deepEqual(complete('moonx-gateway', '--port', ''), []);
    assert.deepEqual(complete('moonx-gateway', 'to'), ['token']);
    assert.deepEqual(complete('moonx-client', '--subs'), ['--subscribe']);
    assert.deepEqual(complete('moonx-gateway', '--routes', 'deploy/moonx-gateway.serv'), ['deploy/moonx-gateway.service']);
});

const page = name => readFileSync(join(root, 'man', name), 'utf8').replaceAll('\\-', '-');
const flagsOf = program => new Set(spawnSync(join(root, 'build', program), ['--help'], { encoding: 'utf8' }).stdout.match(/(?<=^ +(?:.*, )?|\[| )--[a-z][a-z0-9-]*/gm));

test('each manual page has what its program or table knows', () => {
    for (const [program, manual] of [['moonx-gateway', 'moonx-gateway.8'], ['moonx-ingest', 'moonx-ingest.8'], ['moonx-client', 'moonx-client.1']]) {
        for (const flag of flagsOf(program))
            assert.ok(page(manual).includes(` -${flag.slice(2)}`) || page(manual).includes(flag), `${manual}: ${flag}`);
    }
    const keywords = [...readFileSync(join(root, 'ingest/route_parse.c'), 'utf8').matchAll(/\{"(\w+)", parse_\w+/g)].map(([, word]) => word);
    assert.ok(keywords.includes('conflate'));
    for (const keyword of keywords)
        assert.match(page('moonx-routes.5'), new RegExp(`\\b${keyword}\\b`), `moonx-routes(5): ${keyword}`);
    for (const rule of ['user', 'owner', 'role:', 'claim:', 'ask', 'none'])
        assert.ok(page('moonx-rooms.5').includes(rule), `moonx-rooms(5): ${rule}`);
});

test('mandoc finds nothing to warn of in any manual page', () => {
    const pages = readdirSync(join(root, 'man')).filter(name => /\.[1-8]$/.test(name)).map(name => join('man', name));
    assert.ok(pages.length >= 7, pages.join(' '));
    const { stdout } = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', ...pages], { cwd: root, encoding: 'utf8' });
    assert.equal(stdout, '');
});
