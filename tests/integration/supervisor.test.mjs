// The supervisor from outside: starts, kills, hangs, stops, wrong options. Needs no npm package and no
// Kafka: --dev brings its own broker. MOONX_BUILD names another folder of programs.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort } from '../kafka/kafka.mjs';
import { PATIENCE_MS, until, within } from './waiting.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const program = join(process.env.MOONX_BUILD ?? join(root, 'build'), 'moonx-gateway');
const isRoot = process.getuid() === 0;
const READY = /all started/;

// ---- waiting and looking

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

function statusLine(pid, name) {
    try {
        return readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${name}:\\s+(.*)$`, 'm'))[1];
    } catch {
        return null;
    }
}

const alive = pid => !/^[ZX]/.test(statusLine(pid, 'State') ?? 'X');

function childrenOf(pid) {
    try {
        return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
    } catch {
        return [];
    }
}

function titleOf(pid) {
    try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0];
    } catch {
        return '';
    }
}

const refused = port => new Promise(resolve => {
    const probe = connect(port, '127.0.0.1', () => {
        probe.destroy();
        resolve(false);
    }).once('error', error => resolve(error.code === 'ECONNREFUSED'));
});

// ---- a gateway under --dev

const started = new Set();
after(() => started.forEach(gateway => gateway.end()));

class Gateway {
    output = '';
    family = new Set();

    static async start({ workers = 2, env = {}, args = [] } = {}) {
        const gateway = new Gateway();
        gateway.port = await freePort();
        gateway.folder = mkdtempSync(join(tmpdir(), 'moonx-supervisor-'));
        gateway.dev = join(gateway.folder, 'dev');
        // --pdeathsig: a test run that is killed leaves no gateway behind
        gateway.process = spawn('setpriv', ['--pdeathsig', 'TERM', program, '--dev', '--port', gateway.port, '--workers', workers, ...args], {
            cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'],
            env: { PATH: process.env.PATH, DEV_DIRECTORY: gateway.dev, RING_BYTES: String(1 << 20), ...env },
        });
        for (const stream of [gateway.process.stdout, gateway.process.stderr])
            stream.setEncoding('utf8').on('data', text => (gateway.output += text));
        gateway.exited = new Promise(resolve => gateway.process.once('close', (code, signal) => resolve({ code, signal }))); // when all it said has been read
        started.add(gateway);
        await gateway.printed(READY);
        return gateway;
    }

    get pid() {
        return this.process.pid;
    }

    async printed(pattern, deadlineMs) {
        const ended = () => this.process.exitCode !== null || this.process.signalCode !== null;
        await until(`output ${pattern}`, () => pattern.test(this.output) || ended(), deadlineMs)
            .catch(error => assert.fail(`${error.message}:\n${this.output}`));
        assert.match(this.output, pattern);
    }

    // Children by title: { 'moonx-ingest': pid, 'worker-0': pid, ... }
    children() {
        const found = {};
        for (const pid of childrenOf(this.pid).filter(alive)) {
            this.family.add(pid);
            found[titleOf(pid).replace('moonx-gateway: ', '')] = pid;
        }
        return found;
    }

    async successor(name, before, deadlineMs) {
        return until(`a successor of ${name}`, () => {
            const now = this.children()[name];
            return now !== before && now;
        }, deadlineMs);
    }

    async health() {
        const answer = await fetch(`http://127.0.0.1:${this.port}/health`, { signal: AbortSignal.timeout(PATIENCE_MS) });
        await answer.text();
        return answer.status;
    }

    async end() {
        started.delete(this);
        if (this.process.exitCode === null && this.process.signalCode === null)
            this.process.kill('SIGKILL');
        rmSync(this.folder, { recursive: true, force: true });
    }

    // Nothing may stay: no process, no listener.
    async stopped(deadlineMs = PATIENCE_MS) {
        const { code } = await within('the end', deadlineMs, this.exited).catch(error => assert.fail(`${error.message}:\n${this.output}`));
        assert.equal(code, 0, this.output);
        assert.deepEqual([...this.family].filter(alive), [], 'processes left behind');
        assert.ok(await refused(this.port), 'the port is still served');
    }
}

async function withGateway(options, body) {
    const gateway = await Gateway.start(options);
    try {
        gateway.children();
        await body(gateway);
    } finally {
        await gateway.end();
    }
}

// ---- starting and stopping

// A drain that would last longer than these tests wait.
const unhurried = { env: { DRAIN_TIMEOUT: String(2 * PATIENCE_MS) } };

describe('a start and a stop', { concurrency: 2 }, () => {
    test('--dev greets with addresses, broker, token and two command lines', () => withGateway({}, async gateway => {
        await gateway.printed(/moonx-client$/m);
        const secret = readFileSync(join(gateway.dev, 'secret'), 'utf8').trim();
        const broker = readFileSync(join(gateway.dev, 'bootstrap'), 'utf8').trim();
        const [, url, token] = gateway.output.match(/export MOONX_URL=(\S+) MOONX_TOKEN=(\S+)\n.*moonx-client$/m);
        assert.equal(url, `ws://127.0.0.1:${gateway.port}/ws`);
        assert.match(gateway.output, new RegExp(`http://127.0.0.1:${gateway.port}/health`));
        const [, value, bootstrap, topic] = gateway.output.match(/echo '(.*)' \| kcat -P -b (\S+) -t (\S+)/);
        assert.equal(bootstrap, broker);
        assert.equal(topic, 'price.updates');
        assert.ok(JSON.parse(value).token && JSON.parse(value).price);
        const [head, claims, signature] = token.split('.');
        assert.equal(signature, createHmac('sha256', secret).update(`${head}.${claims}`).digest('base64url'));
        assert.equal(JSON.parse(Buffer.from(claims, 'base64url')).sub, 'demo');
        assert.equal(statSync(join(gateway.dev, 'secret')).mode & 0o777, 0o600);
        assert.equal(statSync(gateway.dev).mode & 0o777, 0o700);
    }));

    test('Ctrl-C stops everything and leaves nothing', () => withGateway(unhurried, async gateway => {
        await gateway.printed(/moonx-client/);
        process.kill(-gateway.pid, 'SIGINT'); // as a terminal does: to the whole group
        await gateway.stopped();
        assert.ok(!existsSync(join(gateway.dev, 'bootstrap')));
        assert.doesNotMatch(gateway.output, /worker-.*killed by signal/);
    }));

    test('SIGTERM drains and ends with 0', () => withGateway(unhurried, async gateway => {
        await gateway.printed(/moonx-client/);
        gateway.process.kill('SIGTERM');
        await gateway.stopped();
        assert.doesNotMatch(gateway.output, /worker-.*killed by signal/);
    }));

    test('SIGQUIT stops now, even with a worker that hears nothing', () => withGateway(unhurried, async gateway => {
        process.kill(gateway.children()['worker-0'], 'SIGSTOP');
        gateway.process.kill('SIGQUIT');
        await gateway.stopped();
    }));

    test('a second SIGINT ends a drain at once', () => withGateway(unhurried, async gateway => {
        process.kill(gateway.children()['worker-1'], 'SIGSTOP');
        gateway.process.kill('SIGINT');
        await gateway.printed(/clients are sent away/);
        gateway.process.kill('SIGINT');
        await gateway.stopped();
    }));

    test('a worker that does not drain is killed after the allowance', () => withGateway({ env: { DRAIN_TIMEOUT: '200' } }, async gateway => {
        process.kill(gateway.children()['worker-1'], 'SIGSTOP');
        gateway.process.kill('SIGTERM');
        await gateway.stopped();
        assert.match(gateway.output, /worker-1 .*did not stop in time/);
    }));

    test('SIGHUP without a changed file and SIGUSR2 change nothing and say so', () => withGateway({}, async gateway => {
        const before = gateway.children();
        gateway.process.kill('SIGHUP');
        gateway.process.kill('SIGUSR2');
        await gateway.printed(/reload: nothing has changed/);
        await gateway.printed(/SIGUSR2: .*nothing has changed/);
        assert.deepEqual(gateway.children(), before);
    }));

    test('a second gateway on the same port is refused with one line', () => withGateway({}, async gateway => {
        const second = spawnSync(program, ['--dev', '--port', gateway.port], {
            encoding: 'utf8', env: { DEV_DIRECTORY: join(gateway.folder, 'other') } });
        assert.equal(second.status, 1);
        assert.equal(second.stderr.trim(), `moonx-gateway: port ${gateway.port} on 127.0.0.1 is in use `
            + `(by ${gateway.pid} moonx-gateway); stop it or choose another with --port`);
        assert.equal(await gateway.health(), 200);
    }));

    test('the log never holds the token', () => withGateway({}, async gateway => {
        await gateway.printed(/MOONX_TOKEN=\S+/);
        assert.equal(gateway.output.match(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g).length, 1);
    }));
});

// ---- watching

describe('children are watched', { concurrency: 3 }, () => {
    test('a killed worker is replaced, nobody else notices', () => withGateway({}, async gateway => {
        const before = gateway.children();
        process.kill(before['worker-0'], 'SIGKILL');
        await gateway.successor('worker-0', before['worker-0']);
        await until('health', async () => (await gateway.health()) === 200);
        const now = gateway.children();
        assert.equal(now['worker-1'], before['worker-1']);
        assert.equal(now['moonx-ingest'], before['moonx-ingest']);
        await gateway.printed(/worker-0 \(pid \d+\) was killed by signal 9 \(SIGKILL\)/);
    }));

    test('a killed ingest is replaced, workers go on', () => withGateway({}, async gateway => {
        const before = gateway.children();
        process.kill(before['moonx-ingest'], 'SIGKILL');
        await gateway.successor('moonx-ingest', before['moonx-ingest']);
        const now = gateway.children();
        assert.equal(now['worker-0'], before['worker-0']);
        assert.equal(now['worker-1'], before['worker-1']);
        await until('health', async () => (await gateway.health()) === 200);
    }));

    test('connections made while no worker lives wait for its successor', () => withGateway({ workers: 1 }, async gateway => {
        const before = gateway.children()['worker-0'];
        process.kill(before, 'SIGSTOP'); // what is accepted by the kernel now, the worker never sees
        const answer = gateway.health();
        await pause(50);
        process.kill(before, 'SIGKILL');
        assert.equal(await answer, 200);
    }));

    test('a worker that hangs is killed after 5 s and replaced', () => withGateway({}, async gateway => {
        const before = gateway.children()['worker-1'];
        const since = Date.now();
        process.kill(before, 'SIGSTOP');
        await gateway.successor('worker-1', before);
        assert.ok(Date.now() - since > 3900, 'not earlier than its silence allows');
        await gateway.printed(/worker-1 \(pid \d+\) hangs: no heartbeat for 5 s/);
    }));

    test('a supervisor that was stopped itself blames nobody', () => withGateway({}, async gateway => {
        const before = gateway.children();
        gateway.process.kill('SIGSTOP');
        Object.values(before).forEach(pid => process.kill(pid, 'SIGSTOP'));
        await pause(6000);
        gateway.process.kill('SIGCONT');
        await gateway.printed(/was stopped itself/);
        Object.values(before).forEach(pid => process.kill(pid, 'SIGCONT'));
        await until('health', async () => (await gateway.health()) === 200);
        assert.deepEqual(gateway.children(), before);
        assert.doesNotMatch(gateway.output, /hangs/);
    }));

    test('a child that dies again and again is held back, longer each time', () => withGateway({}, async gateway => {
        let before = 0;
        for (let i = 0; i < 5; i++) {
            before = await gateway.successor('worker-0', before);
            process.kill(before, 'SIGKILL');
        }
        await until('five deaths', () => (gateway.output.match(/successor starts in/g) ?? []).length === 5);
        const delays = [...gateway.output.matchAll(/worker-0 .*successor starts in (\d+) ms/g)].map(match => Number(match[1]));
        assert.equal(delays[0], 0);
        [100, 200, 400, 800].forEach((whole, i) =>
            assert.ok(delays[i + 1] >= whole / 2 && delays[i + 1] <= whole, `delays ${delays}`));
    }));

    test('no child outlives a killed supervisor', () => withGateway({}, async gateway => {
        const family = Object.values(gateway.children());
        assert.equal(family.length, 3);
        gateway.process.kill('SIGKILL');
        await until('all are gone', () => !family.some(alive));
        assert.ok(await refused(gateway.port));
    }));
});

// ---- what a child gets

describe('children get what they need and no more', () => {
    const descriptors = pid => readdirSync(`/proc/${pid}/fd`).flatMap(fd => {
        try {
            const flags = Number.parseInt(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8').match(/^flags:\s+(\d+)/m)[1], 8);
            const { uid, mode } = statSync(`/proc/${pid}/fd/${fd}`);
            return [{ owner: `${uid} ${(mode & 0o777).toString(8)}`, target: readlinkSync(`/proc/${pid}/fd/${fd}`).replace(' (deleted)', ''), writable: (flags & 3) !== 0 }];
        } catch {
            return []; // closed meanwhile
        }
    });

    test('a worker can read the segment and write its own block only', { skip: !isRoot && 'protected processes show their descriptors to root alone' },
        () => withGateway({ workers: 3 }, async gateway => {
            const { 'worker-1': worker, 'moonx-ingest': ingest } = gateway.children();
            const held = descriptors(worker);
            const writable = name => held.filter(fd => fd.target === name).map(fd => fd.writable).sort();
            assert.deepEqual(writable('/memfd:moonx-segment'), [false]);
            assert.deepEqual(writable('/memfd:moonx-host'), [false]);
            assert.deepEqual(writable('/memfd:moonx-worker'), [false, false, true]);
            assert.deepEqual(writable('/memfd:moonx-heritage'), []);
            const shared = held.filter(fd => fd.target.startsWith('/memfd:'));
            assert.deepEqual(new Set(shared.map(fd => fd.owner)), new Set(['0 600']), 'nobody else may open them anew');
            assert.ok(descriptors(ingest).some(fd => fd.target === '/memfd:moonx-segment' && fd.writable));
        }));

    test('started as root, workers and ingest are two other users', { skip: !isRoot && 'needs root' }, () => withGateway({}, async gateway => {
        const { 'worker-0': worker, 'moonx-ingest': ingest } = gateway.children();
        const uid = pid => Number(statusLine(pid, 'Uid').split('\t')[0]);
        assert.equal(uid(worker), Number(spawnSync('id', ['-u', 'nobody'], { encoding: 'utf8' }).stdout));
        assert.equal(uid(ingest), Number(spawnSync('id', ['-u', 'daemon'], { encoding: 'utf8' }).stdout));
        assert.equal(statusLine(worker, 'CapEff'), '0000000000000000');
        assert.equal(statusLine(ingest, 'CapEff'), '0000000000000000');
    }));
});

// ---- systemd

const LISTENER = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
print("bound", flush=True)
while True:
    print(s.recv(4096).decode().replace("\\n", " "), flush=True)
`;

test('systemd hears READY, the watchdog and STOPPING, in this order', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moonx-notify-'));
    const path = join(folder, 'socket');
    const listener = spawn('python3', ['-c', LISTENER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    let heard = '';
    listener.stdout.setEncoding('utf8').on('data', text => (heard += text));
    try {
        await until('the listener', () => heard.includes('bound'));
        await withGateway({ env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: '1600000' } }, async gateway => {
            await until('READY=1', () => heard.includes(`READY=1 MAINPID=${gateway.pid}`));
            const beats = () => heard.split('WATCHDOG=1').length - 1;
            const before = beats();
            const since = Date.now();
            await until('three more', () => beats() >= before + 3);
            const each = (Date.now() - since) / 3;
            assert.ok(each > 400 && each < 1600, `one each ${each} ms`);
            gateway.process.kill('SIGTERM');
            await gateway.stopped();
            await until('STOPPING=1', () => heard.indexOf('STOPPING=1') > heard.indexOf('READY=1'));
        });
    } finally {
        listener.kill();
        rmSync(folder, { recursive: true, force: true });
    }
});

test('the systemd unit scores at most 1.5', { skip: spawnSync('systemd-analyze', ['--version']).error && 'needs systemd' }, () => {
    const { stdout } = spawnSync('systemd-analyze', ['security', '--offline=yes', '--threshold=15', 'deploy/moonx-gateway.service'], { cwd: root, encoding: 'utf8' });
    const [, score] = stdout.match(/Overall exposure level[^:]*: ([\d.]+)/);
    assert.ok(Number(score) <= 1.5, stdout);
});

// ---- options

function run(args, env = {}) {
    const result = spawnSync(program, args, { encoding: 'utf8', timeout: 60_000, env: { PATH: process.env.PATH, ...env } });
    return { ...result, lines: result.stderr.split('\n').filter(Boolean) };
}

describe('bad input stops the start with one line and status 2', () => {
    const good = { KAFKA_BROKERS: '127.0.0.1:1', JWT_SECRET: 'x'.repeat(32) };
    const cases = [
        ['port 0', ['--port', '0'], good, /--port: "0".*1 to 65535/],
        ['a port beyond 65535', ['--port=65536'], good, /--port: "65536".*1 to 65535/],
        ['a port that is no number', [], { ...good, PORT: 'http' }, /PORT.*"http"/],
        ['no workers', ['--workers', '0'], good, /--workers: "0".*1 to 64/],
        ['an unknown flag', ['--prot', '1'], good, /--prot/],
        ['a host name as address', ['--host', 'localhost'], good, /WEBSOCKET_SERVICE_HOST.*"localhost".*numeric/],
        ['an unknown command', ['fly'], good, /"fly" is not a command/],
        ['a secret as flag', ['--jwt-secret', 'x'], good, /JWT_SECRET/],
        ['no brokers outside --dev', [], { JWT_SECRET: good.JWT_SECRET }, /KAFKA_BROKERS \(--kafka\)/],
        ['no secret outside --dev', [], { KAFKA_BROKERS: good.KAFKA_BROKERS }, /JWT_SECRET_FILE/],
        ['a secret file that is not there', [], { KAFKA_BROKERS: good.KAFKA_BROKERS, JWT_SECRET_FILE: '/nowhere' }, /JWT_SECRET_FILE.*\/nowhere/],
        ['an unknown algorithm', [], { ...good, JWT_ALGORITHMS: 'HS256,none' }, /JWT_ALGORITHMS.*none/],
        ['a routing table that is not there', ['--routes', '/nowhere'], good, /ROUTES_FILE: "\/nowhere": cannot be read: No such file/],
        ['a rooms table that is not there', ['--rooms', '/nowhere'], good, /ROOMS_FILE: "\/nowhere": cannot be read: No such file/],
        ['a file of authorities that is not there, though nobody is asked by https', ['--http-client-ca-file', '/nowhere'], good, /HTTP_CLIENT_CA_FILE: "\/nowhere": cannot be read/],
        ['a key file that is a folder', ['--external-service-api-key-file', '/tmp'], good, /EXTERNAL_SERVICE_API_KEY_FILE: "\/tmp": cannot be read: Is a directory/],
        ['an external service without a scheme', ['--external-service-url', 'foo'], good, /EXTERNAL_SERVICE_URL: "foo" is not http/],
        ['a broker with a port that there is not', ['--kafka', 'a:9092,b:99999'], good, /KAFKA_BROKERS \(--kafka\): "b:99999" is not HOST\[:PORT\]/],
        ['authorities for client certificates that nobody asks for', ['--tls-client-ca-file', '/etc/hostname'], good, /TLS_CLIENT_CA_FILE: set, but TLS_CLIENT_CERT is none/],
        ['a development folder that can not be made', ['--dev'], { DEV_DIRECTORY: '/dev/null/x' }, /DEV_DIRECTORY.*\/dev\/null\/x/],
        ['somebody else\'s heritage', [], { ...good, MOONX_HERITAGE: '0' }, /MOONX_HERITAGE/],
        ...(isRoot ? [
            ['a user that does not exist', [], { ...good, WORKER_USER: 'no-such-user' }, /WORKER_USER.*"no-such-user"/],
            ['root as a user', [], { ...good, INGEST_USER: 'root' }, /INGEST_USER.*"root"/],
        ] : []),
    ];
    for (const [what, args, env, expected] of cases) {
        test(what, () => {
            const { status, lines, stdout } = run(args, env);
            assert.equal(status, 2, `status; stderr: ${lines.join('\n')}`);
            assert.equal(lines.length, 1, `one line, not:\n${lines.join('\n')}`);
            assert.match(lines[0], expected);
            assert.equal(stdout, '');
        });
    }

    test('--check-config says the same without starting anything', () => {
        const fine = run(['--check-config'], good);
        assert.equal(fine.status, 0, fine.stderr);
        assert.equal(fine.stdout, 'configuration is fine\n');
        const short = run(['--check-config'], { ...good, JWT_SECRET: 'twelve bytes' });
        assert.equal(short.status, 0, short.stderr);
        assert.equal(short.stdout, 'warning: The JWT secret has 12 bytes; HS256 wants at least 32 random ones (RFC 7518)\nconfiguration is fine\n');
        const bad = run(['--check-config', '--host', 'localhost'], good);
        assert.equal(bad.status, 2);
        assert.equal(bad.lines.length, 1);
        assert.equal(bad.stdout, '');
    });
});

describe('short commands', () => {
    const env = { JWT_SECRET: 'a secret that only this test knows' };
    const claimsOf = token => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

    test('--version and --help need no configuration', () => {
        assert.match(run(['--version']).stdout, /^moonx-gateway \d+\.\d+\.\d+\n$/);
        const help = run(['--help']);
        assert.equal(help.status, 0);
        assert.match(help.stdout, /--websocket-service-port/);
        assert.match(help.stdout, /token --user ID/);
    });

    test('--help is as wide as the terminal', () => {
        for (const columns of [60, 90]) {
            const { stdout } = spawnSync('script', ['-qec', `stty cols ${columns}; ${program} --help`, '/dev/null'], { encoding: 'utf8' });
            const prose = stdout.split('\r\n').filter(line => /^ {6}\S+ /.test(line));
            const widest = Math.max(...prose.map(line => line.length));
            assert.ok(prose.length > 100 && widest <= columns && widest > columns - 10, `${prose.length} lines, ${widest} wide, ${columns} columns`);
        }
    });

    test('token without a shared secret says what to set, also where there is a public key', () => {
        for (const keys of [{}, { JWT_PUBLIC_KEY_FILE: '/etc/hostname' }, { AUTH_SERVICE_URL: 'http://127.0.0.1:1' }]) {
            const { status, lines } = run(['token', '--user', 'alice'], keys);
            assert.equal(status, 2);
            assert.deepEqual(lines, ['moonx-gateway: token: there is no shared secret to sign with; set JWT_SECRET_FILE or JWT_SECRET, or use --dev']);
        }
    });

    test('token mints what the gateway verifies', () => {
        const { stdout, status } = run(['token', '--user', 'alice', '--email', 'a@example.org', '--role', 'admin', '--role=ops', '--ttl', '60'], env);
        assert.equal(status, 0);
        const token = stdout.trim();
        const [head, claims, signature] = token.split('.');
        assert.equal(signature, createHmac('sha256', env.JWT_SECRET).update(`${head}.${claims}`).digest('base64url'));
        const said = claimsOf(token);
        assert.equal(said.sub, 'alice');
        assert.equal(said.email, 'a@example.org');
        assert.deepEqual(said.roles, ['admin', 'ops']);
        assert.ok(Math.abs(said.exp - Date.now() / 1000 - 60) < 30);
    });

    for (const [what, args, expected] of [
        ['without a user', [], /--user is missing/],
        ['with a user id that no room can have', ['--user', 'a b'], /token --user: "a b"/],
        ['with an empty user id', ['--user', ''], /token --user: ""/],
        ['with a user id too long', ['--user', 'u'.repeat(115)], /token --user/],
        ['with no time to live', ['--user', 'a', '--ttl', '0'], /token --ttl: "0"/],
        ['with an unknown flag', ['--user', 'a', '--admin'], /"--admin" is not known/],
        ['with a flag that lacks its value', ['--user'], /"--user" lacks its value/],
        ['with a word too many', ['--user', 'a', 'b'], /too many words/],
        ['with a role of 65 bytes', ['--user', 'a', '--role', 'r'.repeat(65)], /token --role/],
    ]) {
        test(`token ${what} is refused with one line`, () => {
            const { status, lines } = run(['token', ...args], env);
            assert.equal(status, 2);
            assert.equal(lines.length, 1);
            assert.match(lines[0], expected);
        });
    }
});
